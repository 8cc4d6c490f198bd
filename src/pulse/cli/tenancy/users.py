"""`pulse users`: people who can sign in, made by the operator of the installation."""

from functools import partial
from typing import Annotated

import typer

from pulse.cli.options import At, DataOptions, opened, taking
from pulse.cli.output import Answer, print_table

app = typer.Typer(no_args_is_help=True, help="People who can sign in.")


@app.command("create")
@taking(DataOptions)
def create_user(
    options: DataOptions,
    email: str,
    organization: Annotated[
        str | None, typer.Option("--organization", help="Where the user belongs, by id or name.")
    ] = None,
    role: Annotated[
        str, typer.Option("--role", help="Admin, User or Guest; System operates the installation.")
    ] = "User",
    first_name: Annotated[str, typer.Option("--first-name")] = "",
    last_name: Annotated[str, typer.Option("--last-name")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input; otherwise one is made.")
    ] = False,
) -> None:
    """Makes a user. A password that is made here is shown this once."""
    given = {"password": typer.get_text_stream("stdin").readline().rstrip("\r\n")} if password_stdin else {}
    place = {"organizationId": organization} if organization is not None else {}
    body = {"email": email, "role": role.capitalize(), "firstName": first_name, "lastName": last_name, **place, **given}

    async def work(at: At) -> Answer:
        made = await at.post("/api/users", body)
        told = f"{made['email']} {made['id']}"
        return Answer(made, told + (f"\npassword {made['password']}" if "password" in made else ""))

    options.run(work)


@app.command("list")
@opened(DataOptions)
async def list_users(at: At) -> Answer:
    """Lists users."""
    found = await at.get("/api/users")
    columns = ("id", "email", "firstName", "lastName", "isSystem", "createdAt")
    rows = ([str(row[name]) for name in columns] for row in found["data"])
    return Answer(found, partial(print_table, columns, rows, "There are no users yet."))
