"""The secrets of credentials: shown nowhere, sealed to their own row, opened under their own master key."""

import re
from dataclasses import fields, replace

import pytest
from sqlalchemy import select, update

from pulse.core.errors import InvalidFields, Misconfigured, PulseError
from pulse.models.port import Access
from pulse.prompts.records import SYSTEM, Credential, CredentialDraft
from pulse.prompts.secrets import Secrets
from pulse.tenancy.secrets.vault import new_master_key
from tests.contract.prompts.conftest import CANARY, EVERYTHING, KEY, Desk, Theirs


async def access(desk: Desk, credential: Credential) -> Access:
    return await desk.credentials.access_of(desk.ours.id, credential.id)


async def test_a_change_keeps_the_secrets_that_are_not_given(desk: Desk) -> None:
    made = await desk.credential(secrets=Secrets(api_key=CANARY, headers={"x-team": "a"}))
    desk.clock.ms += 5
    renamed = await desk.credentials.update(desk.ours.id, made.id, CredentialDraft("New name", "openai"))
    assert (renamed.name, renamed.revision, renamed.updated_at) == ("New name", 2, made.updated_at + 5)
    assert (await access(desk, renamed)).api_key == CANARY
    changes = Secrets(api_key="sk-second", headers={})
    changed = await desk.credentials.update(desk.ours.id, made.id, CredentialDraft("Key", "openai", secrets=changes))
    assert (changed.has_custom_headers, changed.revision) == (False, 3)
    found = await access(desk, changed)
    assert (found.api_key, found.headers) == ("sk-second", {})


async def test_a_needed_secret_cannot_be_taken_away(desk: Desk) -> None:
    made = await desk.credential()
    draft = CredentialDraft("Key", "openai", secrets=Secrets(api_key=""))
    with pytest.raises(InvalidFields) as refused:
        await desk.credentials.update(desk.ours.id, made.id, draft)
    assert [(fault.path, fault.code) for fault in refused.value.faults] == [("apiKey", "missing")]
    assert (await access(desk, made)).api_key == CANARY


async def test_a_key_does_not_follow_to_another_address(desk: Desk) -> None:
    """Who may change a credential, but does not know its key, cannot have it sent to a server of theirs."""
    made = await desk.credential()
    for draft, path in (
        (CredentialDraft("Key", "openai", base_url="https://thief.example"), "baseUrl"),
        (CredentialDraft("Key", "anthropic"), "providerId"),
    ):
        with pytest.raises(InvalidFields) as refused:
            await desk.credentials.update(desk.ours.id, made.id, draft)
        assert [(fault.path, fault.code) for fault in refused.value.faults] == [(path, "secret_needed")]
    moved = replace(KEY, base_url="https://models.example", secrets=Secrets(api_key="sk-known"))
    await desk.credentials.update(desk.ours.id, made.id, moved)
    found = await access(desk, made)
    assert (found.base_url, found.api_key) == ("https://models.example", "sk-known")


async def test_no_secret_shows_anywhere(desk: Desk) -> None:
    """Not in a record, a draft, an access or a list; not in the database; not in an error."""
    draft = replace(KEY, secrets=EVERYTHING)
    made = await desk.credentials.create(desk.ours.id, draft)
    await desk.configuration(made)
    shown = [draft, made, await access(desk, made), EVERYTHING, await desk.credentials.list(desk.ours.id)]
    shown.append(
        await desk.configurations.resolve(desk.ours.id, (await desk.configurations.list(desk.ours.id))[0][0].id)
    )
    with pytest.raises(PulseError) as refused:
        await desk.credentials.create(desk.ours.id, draft)
    shown.append((repr(refused.value), str(refused.value), refused.value.details))
    assert CANARY not in " ".join(f"{each!r} {each}" for each in shown)
    tables = list(desk.tables.metadata.tables.values())
    async with desk.database.read() as connection:
        rows = [row for table in tables for row in (await connection.execute(table.select())).all()]
    written = str(rows).encode() + b"".join(bytes(cell) for row in rows for cell in row if isinstance(cell, bytes))
    assert not re.search(CANARY.encode(), written)
    assert {field.name for field in fields(Credential)}.isdisjoint(vars(EVERYTHING))


async def test_a_secret_that_was_moved_cannot_be_read(desk: Desk, theirs: Theirs) -> None:
    """To another credential, another version, another organization."""
    made, other = await desk.credential(), await desk.credential(name="Other")
    table = desk.tables.credentials

    async def put(value: bytes, version: int) -> None:
        async with desk.database.write() as connection:
            values = {"sealed": value, "secret_version": version}
            await connection.execute(update(table).where(table.c.id == made.id).values(values))

    async with desk.database.read() as connection:
        rows = (await connection.execute(select(table.c.id, table.c.sealed))).all()
    sealed = {row.id: bytes(row.sealed) for row in rows}
    for wrong, version in ((sealed[other.id], 1), (sealed[theirs.credential.id], 1), (sealed[made.id], 2)):
        await put(wrong, version)
        with pytest.raises(Misconfigured):
            await access(desk, made)
    await put(sealed[made.id], 1)
    assert (await access(desk, made)).api_key == CANARY


async def test_another_master_key_reads_nothing_and_an_old_one_still_does(desk: Desk) -> None:
    made, shared = await desk.credential(), await desk.credential(organization_id=SYSTEM)
    new = new_master_key()
    for each in (made, shared):
        with pytest.raises(Misconfigured):
            await desk.credentials_under(new).access_of(desk.ours.id, each.id)
        found = await desk.credentials_under(new, desk.master_key).access_of(desk.ours.id, each.id)
        assert found.api_key == CANARY
