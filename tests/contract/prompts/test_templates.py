"""Prompt templates: a name taken once, a new version at each save, history and differences, sets of values."""

import asyncio
from typing import Any

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import is_id
from pulse.prompts.records import SYSTEM, Part
from pulse.prompts.templates import sets
from pulse.prompts.templates.comparison import unified_diff
from pulse.prompts.templates.records import Template, TemplateDraft, VariableSet
from tests.contract.prompts.conftest import TEXT, Desk, Theirs


async def test_a_template_finds_its_variables(desk: Desk) -> None:
    made = await desk.template(system="You speak {{language}} with {{customer.name}}.", description="For replies")
    now = desk.clock.now_ms()
    assert made == Template(
        id=made.id,
        organization_id=desk.ours.id,
        environment_id=desk.here.id,
        name="Reply",
        description="For replies",
        configuration_id=None,
        system="You speak {{language}} with {{customer.name}}.",
        text=TEXT,
        version=1,
        created_at=now,
        updated_at=now,
    )
    assert is_id(made.id, "tpl")
    assert made.variables == ("language", "customer.name", "topic")
    assert await desk.templates.get(desk.ours.id, made.id) == made


async def test_each_save_is_a_version_and_history_stays(desk: Desk) -> None:
    made = await desk.template()
    desk.clock.ms += 5
    second = await desk.templates.save(desk.ours.id, made.id, TemplateDraft("Reply", "Hello {{name}}"), expected=1)
    assert (second.version, second.created_at, second.updated_at) == (2, made.created_at, made.created_at + 5)
    third = await desk.templates.save(desk.ours.id, made.id, TemplateDraft("Reply", "Hello {{name}}"))
    assert third.version == 3
    versions, total = await desk.templates.versions(desk.ours.id, made.id)
    assert (total, [(each.version, each.text) for each in versions]) == (
        3,
        [(3, "Hello {{name}}"), (2, "Hello {{name}}"), (1, TEXT)],
    )
    assert await desk.templates.versions(desk.ours.id, made.id, Part(1, 1)) == (versions[1:2], 3)
    first = await desk.templates.version(desk.ours.id, made.id, 1)
    assert (first.text, first.variables) == (TEXT, ("customer.name", "topic"))
    with pytest.raises(NotFound, match="no version 4"):
        await desk.templates.version(desk.ours.id, made.id, 4)


async def test_the_difference_between_two_versions(desk: Desk) -> None:
    made = await desk.template(text="Dear {{name}},\nthank you.\nBye")
    await desk.templates.save(desk.ours.id, made.id, TemplateDraft("Reply", "Dear {{name}},\nthanks!\nBye"))
    before, after = [await desk.templates.version(desk.ours.id, made.id, number) for number in (1, 2)]
    assert unified_diff(before, after) == (
        "--- text (version 1)\n"
        "+++ text (version 2)\n"
        "@@ -1,3 +1,3 @@\n"
        " Dear {{name}},\n"
        "-thank you.\n"
        "+thanks!\n"
        " Bye\n"
        "\\ No newline at end of file\n"
    )
    assert unified_diff(before, before) == ""


async def test_a_stale_save_changes_nothing(desk: Desk) -> None:
    made = await desk.template()
    await desk.templates.save(desk.ours.id, made.id, TemplateDraft("Reply", "two"), expected=1)
    for expected in (1, 3):
        with pytest.raises(StaleRevision):
            await desk.templates.save(desk.ours.id, made.id, TemplateDraft("Reply", "stale"), expected)
    found = await desk.templates.get(desk.ours.id, made.id)
    assert (found.text, found.version) == ("two", 2)


async def test_saves_at_once_come_one_after_another(desk: Desk) -> None:
    made = await desk.template()
    drafts = [TemplateDraft("Reply", f"text {number}") for number in range(5)]
    saved = await asyncio.gather(*(desk.templates.save(desk.ours.id, made.id, draft) for draft in drafts))
    assert sorted(each.version for each in saved) == [2, 3, 4, 5, 6]
    assert (await desk.templates.versions(desk.ours.id, made.id))[1] == 6


async def test_a_name_is_taken_once_in_an_environment(desk: Desk) -> None:
    await desk.template()
    other = await desk.template(name="Other")
    with pytest.raises(Conflict, match="'Reply'"):
        await desk.template()
    with pytest.raises(Conflict, match="'Reply'"):
        await desk.templates.save(desk.ours.id, other.id, TemplateDraft("Reply", "x"))
    assert (await desk.templates.get(desk.ours.id, other.id)) == other


@pytest.mark.parametrize(
    ("wrong", "paths"),
    [
        ({"name": "", "text": " "}, ["name", "text"]),
        ({"text": "\0", "system": "\ud800"}, ["text", "system"]),
        ({"text": "x" * 200_001}, ["text"]),
        ({"text": "".join(f"{{{{v{number}}}}}" for number in range(201))}, ["text"]),
        ({"configuration_id": "mcf_none"}, ["modelConfigurationId"]),
    ],
    ids=range(5),
)
async def test_faults_are_told_with_their_paths(desk: Desk, wrong: dict[str, Any], paths: list[str]) -> None:
    with pytest.raises(InvalidFields) as refused:
        await desk.template(**wrong)
    assert [fault.path for fault in refused.value.faults] == paths
    assert await desk.templates.list(desk.ours.id) == ([], 0)


async def test_a_template_names_a_model_that_its_organization_may_use(desk: Desk, theirs: Theirs) -> None:
    shared = await desk.credential(organization_id=SYSTEM)
    of_all = await desk.configuration(shared, organization_id=SYSTEM)
    own = await desk.configuration()
    for configuration in (own, of_all):
        made = await desk.template(name=configuration.id, configuration_id=configuration.id)
        assert made.configuration_id == configuration.id
    with pytest.raises(InvalidFields):
        await desk.template(configuration_id=theirs.configuration.id)
    assert await desk.templates.uses_of(desk.ours.id, own.id) == [own.id]
    assert await desk.templates.uses_of(desk.ours.id, theirs.configuration.id) == []


async def test_nobody_sees_or_changes_what_is_anothers(desk: Desk, theirs: Theirs) -> None:
    templates, values = desk.templates, desk.sets
    foreign, ours = theirs.template.id, desk.ours.id
    mine = await desk.template()
    for attempt in (
        templates.get(ours, foreign),
        templates.save(ours, foreign, TemplateDraft("Stolen", "x")),
        templates.delete(ours, foreign),
        templates.versions(ours, foreign),
        templates.version(ours, foreign, 1),
        templates.create(ours, desk.there.id, TemplateDraft("New", "x")),
        templates.create(desk.theirs.id, desk.here.id, TemplateDraft("New", "x")),
        values.list(ours, foreign),
        values.create(ours, foreign, "New", {}),
        values.get(ours, theirs.set_id),
        values.update(ours, theirs.set_id, "Stolen", {}),
        values.delete(ours, theirs.set_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await templates.list(ours) == ([mine], 1)
    assert await templates.list(ours, desk.there.id) == ([], 0)


async def test_deleting_takes_versions_and_sets(desk: Desk) -> None:
    made = await desk.template()
    kept = await desk.sets.create(desk.ours.id, made.id, "Usual", {"topic": "bills"})
    await desk.templates.delete(desk.ours.id, made.id)
    for attempt in (
        desk.templates.get(desk.ours.id, made.id),
        desk.templates.versions(desk.ours.id, made.id),
        desk.sets.get(desk.ours.id, kept.id),
        desk.templates.delete(desk.ours.id, made.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await desk.template()).version == 1


async def test_sets_of_values(desk: Desk) -> None:
    made = await desk.template()
    values = {"customer": {"name": "Zoë"}, "topic": ["a", 1, None, True], "customer.name": "flat"}
    usual = await desk.sets.create(desk.ours.id, made.id, "Usual", values)
    now = desk.clock.now_ms()
    assert usual == VariableSet(usual.id, desk.ours.id, made.id, "Usual", values, 1, now, now)
    desk.clock.ms += 5
    empty = await desk.sets.create(desk.ours.id, made.id, "Empty", {})
    assert await desk.sets.list(desk.ours.id, made.id) == [usual, empty]
    changed = await desk.sets.update(desk.ours.id, usual.id, "Rare", {"topic": "x"}, expected=1)
    assert (changed.name, changed.values, changed.revision) == ("Rare", {"topic": "x"}, 2)
    assert changed.updated_at == usual.created_at + 5
    assert await desk.sets.get(desk.ours.id, usual.id) == changed
    with pytest.raises(StaleRevision):
        await desk.sets.update(desk.ours.id, usual.id, "Rare", {}, expected=1)
    for attempt in (
        desk.sets.create(desk.ours.id, made.id, "Rare", {}),
        desk.sets.update(desk.ours.id, empty.id, "Rare", {}),
    ):
        with pytest.raises(Conflict, match="'Rare'"):
            await attempt
    await desk.sets.delete(desk.ours.id, usual.id)
    assert await desk.sets.list(desk.ours.id, made.id) == [empty]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"a": "\0"}, "values.a"),
        ({"a": {"b": [1, "\ud800"]}}, "values.a.b.1"),
        ({"\0": 1}, "values"),
        ({"a": float("nan")}, "values.a"),
        ({"a": {1, 2}}, "values.a"),
        ({"a": "x" * 262_144}, "values"),
    ],
    ids=range(6),
)
async def test_values_are_json_that_can_be_kept(desk: Desk, values: dict[str, Any], path: str) -> None:
    made = await desk.template()
    with pytest.raises(InvalidFields) as refused:
        await desk.sets.create(desk.ours.id, made.id, "Usual", values)
    assert [fault.path for fault in refused.value.faults] == [path]


async def test_a_template_has_a_limited_number_of_sets(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "MAX_SETS", 2)
    made = await desk.template()
    for name in ("a", "b"):
        await desk.sets.create(desk.ours.id, made.id, name, {})
    with pytest.raises(Conflict, match="delete some first"):
        await desk.sets.create(desk.ours.id, made.id, "c", {})
