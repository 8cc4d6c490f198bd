"""Model credentials of an organization: all but their secrets."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pulse.cli.models.choosing import CREDENTIALS
from pulse.cli.tenancy.configuration.changes import Planned, Target, put
from pulse.cli.tenancy.configuration.folder import Filed
from pulse.cli.tenancy.configuration.forms import CredentialForm
from pulse.cli.tenancy.configuration.present import Row
from pulse.cli.tenancy.configuration.secrets import from_shell, named, why
from pulse.core.errors import Fault, NotFound
from pulse.models.catalogue import read
from pulse.prompts.buckets import Limits
from pulse.prompts.faults import access_faults, credential_faults
from pulse.prompts.records import CredentialDraft
from pulse.prompts.secrets import Secrets

NOUN = "model credential"
SAME = ("name", "authType", "description", "baseUrl", "awsRegion", "isActive")
LIMITS = ("requestsPerMinute", "tokensPerMinute", "tokensPerDay")
HELD: Mapping[str, tuple[str, ...]] = {
    "hasApiKey": ("apiKey",),
    "hasServiceAccount": ("serviceAccountJson",),
    "hasAccessKeys": ("accessKeyId", "secretAccessKey"),
    "hasCustomHeaders": ("customHeaders",),
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "api_key": ("apiKey",),
    "service_account": ("serviceAccountJson",),
    "iam": ("accessKeyId", "secretAccessKey"),
    "custom_headers": ("customHeaders",),
}
ORDER = ("apiKey", "serviceAccountJson", "accessKeyId", "secretAccessKey", "sessionToken", "customHeaders")
# What passes for a secret that is there, and that nobody can look at.
UNSEEN: Mapping[str, Any] = {
    **dict.fromkeys(ORDER, "unseen"),
    "serviceAccountJson": '{"client_email": "unseen", "private_key": "unseen"}',
    "customHeaders": {"unseen": "unseen"},
}


def credential_of(row: Row) -> CredentialForm:
    """What a file would say of a credential."""
    secrets = [name for flag, names in HELD.items() if row[flag] for name in names]
    fields = {name: row[name] for name in (*SAME, *LIMITS)}
    return CredentialForm.model_validate({**fields, "provider": row["providerId"], "secrets": secrets})


def plan_credentials(planned: Planned) -> None:
    there = planned.present.own(planned.present.credentials)
    for filed in planned.folder.credentials:
        row = there.get(filed.form.name)
        form, secrets = _checked(planned, filed, row)
        old = None if row is None else credential_of(row).compared()
        planned.compare(NOUN, form.name, old, form.compared(), partial(_send, form, row, secrets))
    planned.leave(NOUN, there, [filed.form.name for filed in planned.folder.credentials])


def _checked(planned: Planned, filed: Filed[CredentialForm], row: Row | None) -> tuple[CredentialForm, dict[str, Any]]:
    """The credential as it will be, and the secrets that it is given; what is as it was need not be checked."""
    form = filed.form
    if row is not None:
        _note_missing(planned, form, row)
        if credential_of(row).compared() == form.compared():
            return form, {}
    try:
        provider = read().provider(form.provider)
    except NotFound:
        words = "There is no such provider: `pulse models providers` lists them."
        planned.problems.add(filed.file, Fault("provider", "unknown_provider", words))
        return form, {}
    form = form.model_copy(update={"auth_type": form.auth_type or provider.auth_type})
    secrets, faults = _secrets(planned, form, row)
    held = set(NEEDED.get(form.auth_type or "", ())) if row is None else set(credential_of(row).secrets)
    seen = {**{name: UNSEEN[name] for name in held}, **secrets}
    draft = _draft(form)
    faults += [*credential_faults(draft, _as_secrets(seen), "organization"), *access_faults(draft, provider)]
    planned.problems.add(filed.file, *faults)
    return form, secrets


def _note_missing(planned: Planned, form: CredentialForm, row: Row) -> None:
    if missing := set(form.secrets) - set(credential_of(row).secrets):
        told = f"The {NOUN} {form.name!r} has no {', '.join(sorted(missing))} there, as the file says that it has."
        planned.notes.append(f"{told} `pulse credentials rotate` gives it new secrets.")


def _secrets(planned: Planned, form: CredentialForm, row: Row | None) -> tuple[dict[str, Any], list[Fault]]:
    """What must come from the shell: all of a new one's, and what is needed where an old one goes to another place."""
    needed = {*NEEDED.get(form.auth_type or "", ()), *form.secrets, *named(form)}
    if row is not None:
        is_elsewhere = (row["providerId"], row["baseUrl"]) != (form.provider, form.base_url)
        if not is_elsewhere and row["authType"] == form.auth_type:
            return {}, []
        needed |= set(credential_of(row).secrets) if is_elsewhere else set()
    wanted = [name for name in ORDER if name in needed]
    command = "with `pulse credentials create`"
    return from_shell(form, wanted, planned.shell, why(NOUN, form.name, command, moved=row is not None))


def _draft(form: CredentialForm) -> CredentialDraft:
    return CredentialDraft(
        name=form.name,
        provider=form.provider,
        auth_type=form.auth_type or "",
        description=form.description,
        base_url=form.base_url,
        aws_region=form.aws_region,
        limits=Limits(form.requests_per_minute, form.tokens_per_minute, form.tokens_per_day),
        is_active=form.is_active,
    )


def _as_secrets(seen: Mapping[str, Any]) -> Secrets:
    return Secrets(
        api_key=seen.get("apiKey"),
        service_account=seen.get("serviceAccountJson"),
        access_key=seen.get("accessKeyId"),
        secret_key=seen.get("secretAccessKey"),
        session_token=seen.get("sessionToken"),
        headers=seen.get("customHeaders"),
    )


async def _send(form: CredentialForm, row: Row | None, secrets: dict[str, Any], target: Target) -> None:
    fields = form.model_dump(by_alias=True)
    body = {name: fields[name] for name in (*SAME, *LIMITS)}
    scope = {} if row is not None else {"scope": "organization"}
    stored = await put(target.at(), CREDENTIALS, row, {**body, **scope, "providerId": form.provider, **secrets})
    target.credentials["organization", form.name] = stored["id"]
