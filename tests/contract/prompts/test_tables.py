"""What the migrations of prompts make is what their tables say."""

from pulse.prompts.tables import BRANCH, prompt_tables
from pulse.storage.migrations import migrate, pending
from tests.contract.conftest import OpenDatabase
from tests.contract.lending import own_prefix
from tests.contract.prompts.conftest import Theirs
from tests.contract.tenancy.test_schemas import Noun, both

prefix = own_prefix

NOUN = Noun(BRANCH, lambda prefix: prompt_tables(prefix).metadata)


async def test_migrations_make_what_the_tables_say(open_database: OpenDatabase, theirs: Theirs) -> None:
    database = open_database()
    found, wanted = await both(database, NOUN)
    for name, table in wanted.items():
        assert found[name] == table, name
    assert len(wanted) == 10


async def test_a_second_migration_does_nothing(open_database: OpenDatabase, theirs: Theirs) -> None:
    database = open_database()
    assert await pending(database, [BRANCH]) == []
    assert await migrate(database, [BRANCH]) == []
