"""The master key of an installation is changed: with the new one alone everything opens that was sealed before."""

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, select

from pulse.billing.tables import billing_tables
from pulse.bootstrap.maintenance import master_key_change
from pulse.memory.tables import memory_tables
from pulse.messages.tables import message_tables
from pulse.prompts.tables import prompt_tables
from pulse.tenancy.secrets.data_keys import Rewrapped
from pulse.tenancy.secrets.vault import Vault, new_master_key
from pulse.tenancy.tables import tenancy_tables
from pulse.workflows.tables import workflow_tables
from tests.integration.receiver.installation import Installation, installed

CREDENTIAL = {"name": "Key", "providerId": "openai", "authType": "api_key", "apiKey": "sk-a-secret"}


def tables() -> list[MetaData]:
    """All that the platform keeps."""
    makers = (tenancy_tables, workflow_tables, message_tables, prompt_tables, memory_tables, billing_tables)
    return [make("pulse_").metadata for make in makers]


async def data_keys(pulse: Installation) -> list[tuple[str, bytes]]:
    """Every data key of the installation, with whose it is: what stands in a column `wrapped`, in whatever table."""
    found: list[tuple[str, bytes]] = []
    async with pulse.parts.database.read() as connection:
        for table in [table for metadata in tables() for table in metadata.sorted_tables if "wrapped" in table.c]:
            rows = await connection.execute(select(table.c.organization_id, table.c.wrapped))
            found += [(row.organization_id, row.wrapped) for row in rows]
    return found


async def filled(pulse: Installation) -> dict[str, str]:
    """Makes a data key of each kind; where a variable is."""
    acme = await pulse.tenant()
    await pulse.parts.variables.create(acme.organization_id, acme.environment_id, "KEY", "a value")
    made = await pulse.client.post("/api/model-credentials", json=CREDENTIAL, headers=pulse.operator)
    assert made.status_code == 201, made.text
    user = await pulse.parts.people.users.create("ada@example.com", None)
    await pulse.parts.people.second_factors.begin(user.id)
    return acme.place


async def test_everything_opens_under_the_new_key_alone(tmp_path: Path) -> None:
    old, new, folder, kept = new_master_key(), new_master_key(), tmp_path / "data", tmp_path / "kept"
    async with installed(folder, PULSE_SECRET_KEY=old) as pulse:
        place = await filled(pulse)
        keys = await data_keys(pulse)
        assert len(keys) == 3
        await pulse.parts.database.close()
        shutil.copytree(folder, kept)
    async with installed(kept, PULSE_SECRET_KEY=f"{new},{old}") as pulse:
        assert await master_key_change(pulse.parts).run() == Rewrapped(wrapped=3)
        assert await master_key_change(pulse.parts).run() == Rewrapped(current=3)
        vault, changed = Vault([new]), await data_keys(pulse)
        assert [vault.rewrapped(wrapped, whose) for whose, wrapped in changed] == [None] * 3
        assert {whose for whose, _ in changed} == {whose for whose, _ in keys}
        await pulse.parts.database.close()
        shutil.copytree(kept, folder)
    async with installed(folder, PULSE_SECRET_KEY=new) as pulse:
        values: Any = await pulse.parts.variables.values(*place.values())
        assert values.values == (("KEY", "a value"),)
