"""`pulse organizations`, `environments`, `keys`, `sources`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pulse.cli.options import At, Data, DataOptions, EnvironmentOptions, Json, Organization, opened, taking
from pulse.cli.output import Answer, listed, run
from pulse.cli.session import part, session

organizations = typer.Typer(no_args_is_help=True, help="Organizations.")
environments = typer.Typer(no_args_is_help=True, help="Environments of an organization.")
keys = typer.Typer(no_args_is_help=True, help="API keys of an environment.")
sources = typer.Typer(no_args_is_help=True, help="Sources of webhooks.")
ORGANIZATIONS, ENVIRONMENTS = "/api/organizations", "/api/environments"
KEYS, SOURCES = "/api/api-keys", "/api/sources"


@organizations.command("create")
@opened(DataOptions)
async def create_organization(at: At, name: str) -> Answer:
    """Makes an organization."""
    return await at.create(ORGANIZATIONS, {"name": name})


@organizations.command("list")
@opened(DataOptions)
async def list_organizations(at: At) -> Answer:
    """Lists organizations."""
    return listed(await at.get(ORGANIZATIONS), ("id", "name", "createdAt"))


@organizations.command("export")
@opened(DataOptions)
async def export_organization(at: At, name: str, folder: Path) -> Answer:
    """Writes all that is set up in an organization into a folder of YAML files that lives in git, without secrets."""
    # All that knows of it, which nobody needs who only lists organizations.
    from pulse.cli.tenancy.configuration.exporting import export

    return await export(at, name, folder)


@organizations.command("apply")
@taking(DataOptions)
def apply_organization(
    options: DataOptions,
    folder: Path,
    organization: Organization = None,
    diff: Annotated[bool, typer.Option("--diff", help="Only show what would change.")] = False,
) -> None:
    """Makes an organization (that of the folder, unless one is named) what a folder says. Nothing is deleted."""
    from pulse.cli.tenancy.configuration.applying import apply
    from pulse.cli.tenancy.configuration.folder import read_folder

    read = read_folder(folder)
    options.run(lambda at: apply(at, read, organization, diff=diff))


@environments.command("create")
@opened(DataOptions)
async def create_environment(
    at: At,
    name: str,
    organization: Annotated[str, typer.Option("--organization", help="Organization, by id or name.")],
) -> Answer:
    """Makes an environment in an organization."""
    return await at.create(ENVIRONMENTS, {"name": name, "organizationId": organization})


@environments.command("list")
def list_environments(data: Data = None, organization: Organization = None, json_: Json = False) -> None:
    """Lists the environments of an organization, or of all."""

    async def work() -> Answer:
        async with session(data) as pulse:
            found = await pulse.call("GET", ORGANIZATIONS)
            wanted = [organization] if organization else [record["id"] for record in found["data"]]
            rows: list[Any] = []
            for place in wanted:
                rows += (await pulse.call("GET", ENVIRONMENTS, organizationId=place))["data"]
        return listed({**found, "data": rows}, ("id", "name", "organizationId", "createdAt"))

    run(work, as_json=json_)


@keys.command("create")
@opened(EnvironmentOptions)
async def create_key(
    at: At,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "key",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="resource:verb, as `pulse roles` lists them; may be repeated. None: everything."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=36_500, help="Ends after so many days; otherwise never.")
    ] = None,
) -> Answer:
    """Makes a key. It is shown this once."""
    ends = {"expiresAt": (datetime.now(UTC) + timedelta(days=days)).isoformat()} if days else {}
    made = await at.post(KEYS, {"name": name, "scopes": scope or [], **ends})
    return Answer(made, made["key"])


@keys.command("list")
@opened(EnvironmentOptions)
async def list_keys(at: At) -> Answer:
    """Lists keys, without their secrets."""
    columns = ("id", "name", "scopes", "createdAt", "lastUsedAt", "expiresAt", "revokedAt")
    return listed(await at.get(KEYS), columns)


@keys.command("rotate")
@opened(EnvironmentOptions)
async def rotate_key(
    at: At,
    key_id: str,
    grace: Annotated[
        int, typer.Option("--grace", min=0, max=30 * 86_400, help="Seconds that the old key still works.")
    ] = 86_400,
) -> Answer:
    """Makes a key that may do the same; the old one ends when the grace is over. The new one is shown this once."""
    made = await at.post(f"{KEYS}/{part(key_id)}/rotate", {"graceSeconds": grace})
    return Answer(made, made["key"])


@keys.command("revoke")
@opened(EnvironmentOptions)
async def revoke_key(at: At, key_id: str) -> Answer:
    """Ends a key at once."""
    return await _ended(at, KEYS, key_id, "revoked")


@sources.command("create")
@opened(EnvironmentOptions)
async def create_source(
    at: At,
    kind: Annotated[str, typer.Option("--kind", help="github, standard, hmac or none.")],
    name: Annotated[str | None, typer.Option("--name")] = None,
    secret: Annotated[str | None, typer.Option("--secret", help="The sender's secret; made here if left out.")] = None,
) -> Answer:
    """Makes a source: prints the address to give to the sender, and the secret."""
    made = await at.post(SOURCES, {"name": name or kind, "kind": kind, **({"secret": secret} if secret else {})})
    address = made["url"] if at.pulse.is_running else made["path"]
    return Answer(made, f"address  {address}\nsecret   {made['secret'] or 'none: no signature is checked'}")


@sources.command("list")
@opened(EnvironmentOptions)
async def list_sources(at: At) -> Answer:
    """Lists sources, without their secrets."""
    return listed(await at.get(SOURCES), ("id", "name", "kind", "path", "createdAt"))


@sources.command("rotate")
@opened(EnvironmentOptions)
async def rotate_source(at: At, source_id: str) -> Answer:
    """Gives a source a new secret; the present one stays valid until the next rotation."""
    made = await at.post(f"{SOURCES}/{part(source_id)}/rotate", {})
    return Answer(made, f"secret   {made['secret']}")


@sources.command("delete")
@opened(EnvironmentOptions)
async def delete_source(at: At, source_id: str) -> Answer:
    """Takes nothing from its sender any more; what came stays."""
    return await _ended(at, SOURCES, source_id, "deleted")


async def _ended(at: At, path: str, record_id: str, what: str) -> Answer:
    await at.pulse.call("DELETE", f"{path}/{part(record_id)}", **at.place)
    return Answer({"id": record_id, what: True}, f"{record_id} {what}")
