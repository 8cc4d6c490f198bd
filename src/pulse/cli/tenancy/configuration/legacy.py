"""Legacy models of an organization: an address, and which secrets it is asked with."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pulse.cli.tenancy.configuration.changes import Planned, Target, put
from pulse.cli.tenancy.configuration.folder import Filed
from pulse.cli.tenancy.configuration.forms import LegacyForm
from pulse.cli.tenancy.configuration.present import LEGACY_MODELS, Row
from pulse.cli.tenancy.configuration.secrets import from_shell, named, why
from pulse.core.errors import Fault
from pulse.prompts.faults import legacy_faults
from pulse.prompts.records import BEDROCK, LegacyDraft
from pulse.prompts.secrets import Secrets

NOUN = "legacy model"
HELD: Mapping[str, tuple[str, ...]] = {"hasToken": ("token",), "hasKeys": ("clientKey", "secretKey")}


def legacy_of(row: Row) -> LegacyForm:
    """What a file would say of a legacy model."""
    secrets = [name for flag, names in HELD.items() if row[flag] for name in names]
    return LegacyForm.model_validate({"name": row["name"], "modelUrl": row["modelUrl"], "secrets": secrets})


def plan_legacy(planned: Planned) -> None:
    there = planned.present.own(planned.present.legacy)
    for filed in planned.folder.legacy:
        form, row = filed.form, there.get(filed.form.name)
        secrets, faults = _secrets(planned, filed, row)
        planned.problems.add(filed.file, *faults)
        old = None if row is None else legacy_of(row).compared()
        planned.compare(NOUN, form.name, old, form.compared(), partial(_send, form, row, secrets))
    planned.leave(NOUN, there, [filed.form.name for filed in planned.folder.legacy])


def _secrets(planned: Planned, filed: Filed[LegacyForm], row: Row | None) -> tuple[dict[str, str], list[Fault]]:
    """The secrets that it is given: all of a new one's, and an old one's where its address changes. And its faults."""
    form, held = filed.form, [] if row is None else legacy_of(row).secrets
    wanted: set[str] = set(held) if row is not None else {*form.secrets, *named(form)}
    if row is None and not wanted and not form.model_url.startswith(BEDROCK):
        wanted = {"token"}
    secrets, faults = dict[str, Any](), list[Fault]()
    if row is None or row["modelUrl"] != form.model_url:
        names = [name for names in HELD.values() for name in names if name in wanted]
        reason = why(NOUN, form.name, "with `POST /api/models`", moved=row is not None)
        secrets, faults = from_shell(form, names, planned.shell, reason)
    seen: dict[str, Any] = {**dict.fromkeys(wanted, "unseen"), **secrets}
    kept = Secrets(seen.get("token"), access_key=seen.get("clientKey"), secret_key=seen.get("secretKey"))
    return secrets, faults + legacy_faults(LegacyDraft(form.name, form.model_url), kept)


async def _send(form: LegacyForm, row: Row | None, secrets: dict[str, str], target: Target) -> None:
    scope = {} if row is not None else {"modelType": "user"}
    await put(target.at(), LEGACY_MODELS, row, {"name": form.name, "modelUrl": form.model_url, **scope, **secrets})
