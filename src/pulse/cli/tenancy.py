"""`pulse organizations`, `environments`, `keys`, `sources`."""

from typing import Annotated, Any

import typer

from pulse.cli.output import print_json, print_table, print_text, run
from pulse.cli.session import Data, Environment, Json, Organization, part, session

organizations = typer.Typer(no_args_is_help=True, help="Organizations.")
environments = typer.Typer(no_args_is_help=True, help="Environments of an organization.")
keys = typer.Typer(no_args_is_help=True, help="API keys of an environment.")
sources = typer.Typer(no_args_is_help=True, help="Sources of webhooks.")


@organizations.command("create")
def create_organization(name: str, data: Data = None, json_: Json = False) -> None:
    """Makes an organization."""
    _create("/api/organizations", {"name": name}, data, json_=json_)


@organizations.command("list")
def list_organizations(data: Data = None, json_: Json = False) -> None:
    """Lists organizations."""

    async def work() -> None:
        async with session(data) as pulse:
            _table(await pulse.call("GET", "/api/organizations"), ("id", "name", "createdAt"), json_=json_)

    run(work)


@environments.command("create")
def create_environment(
    name: str,
    organization: Annotated[str, typer.Option("--organization", help="Organization, by id or name.")],
    data: Data = None,
    json_: Json = False,
) -> None:
    """Makes an environment in an organization."""
    _create("/api/environments", {"name": name, "organizationId": organization}, data, json_=json_)


@environments.command("list")
def list_environments(data: Data = None, organization: Organization = None, json_: Json = False) -> None:
    """Lists the environments of an organization, or of all."""

    async def work() -> None:
        async with session(data) as pulse:
            found = await pulse.call("GET", "/api/organizations")
            wanted = [organization] if organization else [record["id"] for record in found["data"]]
            rows: list[Any] = []
            for place in wanted:
                rows += (await pulse.call("GET", "/api/environments", organizationId=place))["data"]
        _table({**found, "data": rows}, ("id", "name", "organizationId", "createdAt"), json_=json_)

    run(work)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "key",
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="resource:verb; may be repeated. None: everything.")
    ] = None,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Makes a key. It is shown this once."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            body = {"name": name, "scopes": scope or []}
            made = (await pulse.send("POST", "/api/api-keys", params=place, json=body)).json()
        if json_:
            return print_json(made)
        print_text(made["key"])

    run(work)


@keys.command("list")
def list_keys(
    organization: Organization = None, environment: Environment = None, data: Data = None, json_: Json = False
) -> None:
    """Lists keys, without their secrets."""
    columns = ("id", "name", "scopes", "createdAt", "lastUsedAt", "revokedAt")
    _list("/api/api-keys", columns, organization, environment, data, json_=json_)


@keys.command("revoke")
def revoke_key(
    key_id: str,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Ends a key at once."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            await pulse.send("DELETE", f"/api/api-keys/{part(key_id)}", params=place)
        if json_:
            return print_json({"id": key_id, "revoked": True})
        print_text(f"{key_id} revoked")

    run(work)


@sources.command("create")
def create_source(
    kind: Annotated[str, typer.Option("--kind", help="github, standard, hmac or none.")],
    name: Annotated[str | None, typer.Option("--name")] = None,
    secret: Annotated[str | None, typer.Option("--secret", help="The sender's secret; made here if left out.")] = None,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Makes a source: prints the address to give to the sender, and the secret."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            body = {"name": name or kind, "kind": kind, **({"secret": secret} if secret else {})}
            made = (await pulse.send("POST", "/api/sources", params=place, json=body)).json()
            address = made["url"] if pulse.is_running else made["path"]
        if json_:
            return print_json(made)
        print_text(f"address  {address}\nsecret   {made['secret'] or 'none: no signature is checked'}")

    run(work)


@sources.command("list")
def list_sources(
    organization: Organization = None, environment: Environment = None, data: Data = None, json_: Json = False
) -> None:
    """Lists sources, without their secrets."""
    _list("/api/sources", ("id", "name", "kind", "path", "createdAt"), organization, environment, data, json_=json_)


@sources.command("rotate")
def rotate_source(
    source_id: str,
    organization: Organization = None,
    environment: Environment = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Gives a source a new secret; the present one stays valid until the next rotation."""

    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            made = (await pulse.send("POST", f"/api/sources/{part(source_id)}/rotate", params=place, json={})).json()
        if json_:
            return print_json(made)
        print_text(f"secret   {made['secret']}")

    run(work)


def _create(path: str, body: dict[str, Any], data: Any, *, json_: bool) -> None:
    async def work() -> None:
        async with session(data) as pulse:
            made = await pulse.call("POST", path, body=body)
        if json_:
            return print_json(made)
        print_text(f"{made['id']}  {made['name']}")

    run(work)


def _list(path: str, columns: tuple[str, ...], organization: Any, environment: Any, data: Any, *, json_: bool) -> None:
    async def work() -> None:
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            _table(await pulse.call("GET", path, **place), columns, json_=json_)

    run(work)


def _table(found: dict[str, Any], columns: tuple[str, ...], *, json_: bool) -> None:
    if json_:
        return print_json(found)
    print_table(columns, ([row.get(column) for column in columns] for row in found["data"]), "None yet.")
