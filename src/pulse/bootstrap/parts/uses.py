"""When what is secret was used last: keys, variables, credentials."""

from dataclasses import dataclass

from pulse.evaluator.mentions import VariableUses
from pulse.prompts.tables import prompt_tables
from pulse.storage.database import Database
from pulse.tenancy.tables import TenancyTables
from pulse.tenancy.uses import Uses


@dataclass(frozen=True)
class LastUses:
    """What was noted of each, to be written down every few seconds."""

    keys: Uses
    variables: VariableUses
    credentials: Uses

    async def write(self) -> None:
        for each in (self.keys, self.variables, self.credentials):
            await each.write()


def build_uses(database: Database, tenancy: TenancyTables) -> LastUses:
    return LastUses(
        keys=Uses(database, tenancy.api_keys),
        variables=VariableUses(Uses(database, tenancy.variables)),
        credentials=Uses(database, prompt_tables(database.prefix).credentials),
    )
