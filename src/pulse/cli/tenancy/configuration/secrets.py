"""Secrets come from the shell, and only where they are needed: for what is made, or is to go to another place."""

from collections.abc import Iterable, Mapping
from typing import Any

from pulse.cli.output import plain
from pulse.cli.tenancy.configuration.forms import CredentialForm, LegacyForm
from pulse.core.errors import Fault


def from_shell(
    form: CredentialForm | LegacyForm, names: Iterable[str], shell: Mapping[str, str], why: str
) -> tuple[dict[str, Any], list[Fault]]:
    """The secrets of these names that the shell has, and a fault for each that it does not have; `why` it must."""
    stated, values, faults = form.model_dump(by_alias=True), dict[str, Any](), list[Fault]()
    for name in names:
        field, source = f"{name}From", stated.get(f"{name}From")
        if not source:
            faults.append(Fault(field, "secret_needed", f"{why} {_example(name)}"))
            continue
        sources = source if isinstance(source, dict) else {name: source}
        found = {key: shell[variable] for key, variable in sources.items() if shell.get(variable)}
        if len(found) < len(sources):
            faults.append(Fault(field, "not_set", f"{why} The shell variable that is named here is not set."))
        else:
            values[name] = found if isinstance(source, dict) else found[name]
    return values, faults


def named(form: CredentialForm | LegacyForm) -> set[str]:
    """The secrets for which the file names a variable of the shell."""
    stated = form.model_dump(by_alias=True)
    return {field.removesuffix("From") for field, source in stated.items() if field.endswith("From") and source}


def why(noun: str, name: str, command: str, *, moved: bool) -> str:
    if moved:
        return f"The {noun} {plain(name)!r} goes to another place here, and its secrets do not go along by themselves."
    return f"There is no {noun} {plain(name)!r} there yet: it is made with its secret, or beforehand {command}."


def _example(name: str) -> str:
    if name == "customHeaders":
        return "Name a shell variable for each header, as in customHeadersFrom: {X-Team: TEAM_TOKEN}."
    capitals = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name)
    return f"Name the shell variable that holds it, as in {name}From: {capitals}."
