"""`pulse credentials`: how model providers are reached. Secrets go in and do not come out."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.models.choosing import CREDENTIALS, OwnerOptions, chosen, credentials
from pulse.cli.models.secrets import read_file, read_secrets, refuse_argument
from pulse.cli.options import At, opened, taking
from pulse.cli.output import Answer, listed, print_text, run, say
from pulse.cli.session import part
from pulse.core.errors import InvalidInput
from pulse.models.catalogue import read

app = typer.Typer(no_args_is_help=True, help="Credentials of model providers.")
SHOWN = ("name", "id", "scope", "providerId", "authType", "baseUrl", "awsRegion", "isActive")
LIMITS = ("requestsPerMinute", "tokensPerMinute", "tokensPerDay")
FLAGS = {
    "hasApiKey": "API key",
    "hasServiceAccount": "service account",
    "hasAccessKeys": "AWS keys",
    "hasCustomHeaders": "headers",
}
KEPT = ("name", "providerId", "authType", "description", "baseUrl", "awsRegion", *LIMITS, "isActive")
ApiKey = Annotated[
    str | None, typer.Option("--api-key", help="Only -: the key is on standard input. Otherwise it is asked for.")
]
AccessKeyId = Annotated[
    str | None, typer.Option("--access-key-id", help="AWS; its secret is asked for, or read from standard input.")
]
ServiceAccount = Annotated[
    Path | None, typer.Option("--service-account", help="Google: the JSON key file of a service account.")
]
Header = Annotated[
    list[str] | None, typer.Option("--header", help="Name of a header; its value is asked for. May be repeated.")
]


@app.command()
@taking(OwnerOptions)
def create(
    options: OwnerOptions,
    name: str,
    provider: Annotated[str, typer.Option("--provider", help="openai, anthropic, …: see `pulse models providers`.")],
    auth_type: Annotated[
        str | None,
        typer.Option("--auth-type", help="api_key, service_account, iam, custom_headers, none. Default: the usual."),
    ] = None,
    api_key: ApiKey = None,
    access_key_id: AccessKeyId = None,
    service_account: ServiceAccount = None,
    header: Header = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="A server that speaks the same format.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="AWS region.")] = None,
    description: Annotated[str | None, typer.Option("--description")] = None,
    requests_per_minute: Annotated[int | None, typer.Option("--requests-per-minute")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option("--tokens-per-minute")] = None,
    tokens_per_day: Annotated[int | None, typer.Option("--tokens-per-day")] = None,
) -> None:
    """Stores a credential. Secrets are asked for; without a terminal they are read, a line each, from standard input.

    Their order there: the API key or the AWS secret, then the values of headers.
    """
    refuse_argument("--api-key", api_key)
    # Before the loop, which would keep Ctrl-C from a prompt.
    kind = auth_type or read().provider(provider).auth_type
    secrets = _secrets(kind, access_key_id, service_account, header or [], piped=api_key == "-")
    body = {
        "name": name,
        "providerId": provider,
        "authType": kind,
        "baseUrl": base_url,
        "awsRegion": region,
        "description": description,
        "requestsPerMinute": requests_per_minute,
        "tokensPerMinute": tokens_per_minute,
        "tokensPerDay": tokens_per_day,
        **secrets,
        **({"scope": "system"} if options.system else {}),
    }

    async def work(at: At) -> Answer:
        return await at.create(CREDENTIALS, body)

    options.run(work)


@app.command("list")
@opened(OwnerOptions)
async def list_(at: At) -> Answer:
    """Lists credentials: the organization's, and the installation's that it may use."""
    kinds = ("id", "name", "providerId", "authType", "scope", "isActive")
    columns = (*kinds, "lastUsedAt", "lastValidated", "validationError")
    return listed({"data": await credentials(at)}, columns)


@app.command()
@opened(OwnerOptions)
async def show(at: At, credential: str) -> Answer:
    """Shows a credential, by id or name, without what is secret."""
    found = await _find(at, credential)
    return Answer(found, partial(_print, found))


@app.command()
@opened(OwnerOptions)
async def validate(at: At, credential: str) -> Answer:
    """Tries a credential with a real, cheap request. Exit code 1: the provider does not take it."""
    found = await _find(at, credential)
    tried = await at.post(f"{CREDENTIALS}/{part(found['id'])}/validate")
    return Answer(tried, partial(_print_tried, tried), is_failure=not tried["valid"])


@app.command()
@taking(OwnerOptions)
def rotate(
    options: OwnerOptions,
    credential: str,
    api_key: ApiKey = None,
    access_key_id: AccessKeyId = None,
    service_account: ServiceAccount = None,
    header: Header = None,
) -> None:
    """Gives a credential new secrets, which come as they do for `create`. Nothing else of it changes."""
    refuse_argument("--api-key", api_key)

    async def find() -> None:
        async with options.open() as at:
            found.update(await _find(at, credential))

    async def work(at: At) -> Answer:
        changed = await at.put(CREDENTIALS, found, {**{name: found[name] for name in KEPT}, **secrets})
        return Answer(changed, f"{changed['name']} has new secrets")

    found: dict[str, Any] = {}
    run(find)
    secrets = _secrets(found["authType"], access_key_id, service_account, header or [], piped=api_key == "-")
    if not secrets:
        raise InvalidInput("No new secret was given: see --access-key-id, --service-account and --header.")
    options.run(work)


@app.command()
@opened(OwnerOptions)
async def delete(at: At, credential: str) -> Answer:
    """Deletes a credential with its secrets. One that models use stays."""
    return await at.delete(CREDENTIALS, await _find(at, credential))


async def _find(at: At, credential: str) -> dict[str, Any]:
    return chosen(await credentials(at), credential, "credential")


def _secrets(
    kind: str, access_key_id: str | None, service_account: Path | None, headers: list[str], *, piped: bool
) -> dict[str, Any]:
    """The body's secret fields, as that kind of access has them."""
    first = {"api_key": "API key", "iam": "Secret access key" if access_key_id else ""}.get(kind, "")
    values = read_secrets([*([first] if first else []), *(f"Value of {name}" for name in headers)], piped=piped)
    found: dict[str, Any] = {}
    if first:
        found["apiKey" if kind == "api_key" else "secretAccessKey"] = values.pop(0)
    if access_key_id:
        found["accessKeyId"] = access_key_id
    if headers:
        found["customHeaders"] = dict(zip(headers, values, strict=True))
    if service_account is not None:
        found["serviceAccountJson"] = read_file(service_account)
    return found


def _print(found: dict[str, Any]) -> None:
    for name in (*SHOWN, *LIMITS, "lastUsedAt", "lastValidated", "validationError"):
        if found[name] is not None:
            print_text(f"{name:20}{found[name]}")
    print_text(f"{'holds':20}{', '.join(FLAGS[name] for name in FLAGS if found[name]) or 'nothing secret'}")
    print_text(f"{'models':20}{found['_count']['modelConfigs']}")


def _print_tried(tried: dict[str, Any]) -> None:
    if tried["valid"]:
        print_text(f"{tried['name']} is good")
    else:
        say(f"pulse: {tried['name']}: {tried['validationError']}")
