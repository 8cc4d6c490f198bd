"""`pulse models`: what the catalogue offers, and the models that are ready to use."""

from functools import partial
from typing import Annotated, Any

import typer

from pulse.cli.models.choosing import CONFIGURATIONS, OwnerOptions, chosen, configurations, credentials
from pulse.cli.options import At, DataOptions, opened, taking
from pulse.cli.output import Answer, listed, print_table
from pulse.core.errors import InvalidInput
from pulse.models.catalogue import read

app = typer.Typer(no_args_is_help=True, help="Models: the catalogue, and configurations that are ready to use.")
OFFERED = ("id", "displayName", "category", "contextWindow", "inputPricePerMillion", "outputPricePerMillion")
KEPT = (
    "description",
    "modelDefinitionId",
    "credentialId",
    "modelId",
    "defaultTemperature",
    "defaultMaxTokens",
    "defaultTimeout",
    "isVisible",
    "isDefault",
    "priority",
)


@app.command("list")
@opened(OwnerOptions)
async def list_(at: At) -> Answer:
    """Lists the models that are ready to use: the organization's, and the installation's."""
    rows = await configurations(at.pulse, at.place)
    columns = ("id", "name", "model", "credential", "scope", "isDefault", "isVisible")
    return Answer({"data": rows}, partial(print_table, columns, map(_line, rows), "None yet."))


@app.command()
@opened(DataOptions)
async def providers(
    at: At,
    models: Annotated[bool, typer.Option("--models", help="List the models of each, with their prices.")] = False,
) -> Answer:
    """Lists the providers of the catalogue."""
    found = await at.get("/api/model-providers", includeModels="true" if models else "false")
    columns = OFFERED if models else ("id", "name", "authType", "baseUrl")
    rows = [each for row in found["data"] for each in row["models"] if each["isActive"]] if models else found["data"]
    return Answer(found, listed({"data": rows}, columns, "None.").text)


@app.command()
@taking(OwnerOptions)
def configure(
    options: OwnerOptions,
    name: str,
    model: Annotated[str | None, typer.Option("--model", help="As in openai/gpt-4o. Needed for a new one.")] = None,
    credential: Annotated[
        str | None, typer.Option("--credential", help="By id or name. Default: the provider's only one.")
    ] = None,
    model_id: Annotated[str | None, typer.Option("--model-id", help="The provider's own name of the model.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Of an answer.")] = None,
    timeout: Annotated[
        int | None, typer.Option("--timeout", help="Milliseconds for a call with all its tries.")
    ] = None,
    default: Annotated[
        bool | None, typer.Option("--default/--no-default", help="Used where nothing else is chosen.")
    ] = None,
    visible: Annotated[bool | None, typer.Option("--visible/--hidden", help="Whether it is offered.")] = None,
    description: Annotated[str | None, typer.Option("--description")] = None,
) -> None:
    """Makes a model ready to use under a name, or changes what is given of the one that has the name."""
    given = {
        "modelDefinitionId": model,
        "modelId": model_id,
        "defaultTemperature": temperature,
        "defaultMaxTokens": max_tokens,
        "defaultTimeout": timeout,
        "isDefault": default,
        "isVisible": visible,
        "description": description,
    }
    wanted = {key: value for key, value in given.items() if value is not None}

    async def work(at: At) -> Answer:
        stored = await _store(at, name, wanted, credential)
        return Answer(stored, f"{name} asks {stored['modelDefinitionId']} with {stored['credential']['name']}")

    options.run(work)


@app.command()
@opened(OwnerOptions)
async def delete(at: At, model: str) -> Answer:
    """Deletes a configuration. One that entities or prompt templates use stays."""
    rows = await configurations(at.pulse, at.place)
    return await at.delete(CONFIGURATIONS, chosen(rows, model, "model configuration"))


def _line(row: dict[str, Any]) -> list[Any]:
    credential = row["credential"] or {}
    model = row["modelId"] or row["modelDefinitionId"]
    return [row["id"], row["name"], model, credential.get("name"), row["scope"], row["isDefault"], row["isVisible"]]


async def _store(at: At, name: str, wanted: dict[str, Any], credential: str | None) -> dict[str, Any]:
    rows = await configurations(at.pulse, at.place)
    mine = "organization" if at.place else "system"
    found = next((row for row in rows if row["name"] == name and row["scope"] == mine), None)
    kept = {} if found is None else {field: found[field] for field in KEPT}
    body = {"name": name, "scope": mine, **kept, **wanted}
    if "modelDefinitionId" not in body:
        raise InvalidInput(f"There is no model configuration {name!r} yet: say which model it is with --model.")
    read().definition(body["modelDefinitionId"])
    body["credentialId"] = await _credential(at, body, credential)
    return await (at.post(CONFIGURATIONS, body) if found is None else at.put(CONFIGURATIONS, found, body))


async def _credential(at: At, body: dict[str, Any], named: str | None) -> str:
    """The id of the one that is named, or of the one that it had, or of the only one of the provider."""
    rows = await credentials(at)
    if named is not None:
        return str(chosen(rows, named, "credential")["id"])
    provider = body["modelDefinitionId"].partition("/")[0]
    fitting = [row for row in rows if row["providerId"] == provider]
    if any(row["id"] == body.get("credentialId") for row in fitting):
        return str(body["credentialId"])
    if len(fitting) == 1:
        return str(fitting[0]["id"])
    if not fitting:
        hint = f"Make one with: pulse credentials create NAME --provider {provider}"
        raise InvalidInput(f"There is no credential for {provider!r} yet. {hint}")
    raise InvalidInput(f"Say which credential with --credential: {', '.join(row['name'] for row in fitting[:10])}.")
