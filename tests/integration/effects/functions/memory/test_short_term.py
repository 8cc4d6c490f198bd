"""`stmStore`, `stmRetrieve`, `stmRetrieveAll` and `stmDelete`, on a server that stands in for S3."""

import secrets
from collections.abc import Iterator

import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from pulse.memory.shelf import ObstoreShelf
from pulse.memory.short_term import ShortTermMemory
from pulse.sandbox.port import Tenant
from tests.integration.effects.functions.bench import CANARY, OURS, Bench, hides

THEIRS = (Tenant("org_theirs", OURS.environment_id), Tenant(OURS.organization_id, "env_test"))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that stands in for S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket() -> str:
    name = f"stm-{secrets.token_hex(8)}"
    s3_backends["123456789012"]["aws"].create_bucket(name, "us-east-1")
    return name


def opened(bucket: str, endpoint: str) -> ShortTermMemory:
    options = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": CANARY, "endpoint": endpoint}
    return ShortTermMemory(ObstoreShelf(f"s3://{bucket}", options=options))


@pytest.fixture
def stm(bench: Bench, s3: str, bucket: str) -> Bench:
    return bench.reaching(short_term=opened(bucket, s3))


async def test_a_value_is_kept_and_comes_back(stm: Bench, bucket: str) -> None:
    ran = await stm.tried("await stmStore(['chat', 'user 42'], { turns: ['Hi', 'Grüße'] }, 'history.json')")
    key = "org_ours/env_production/chat/user%2042/history.json"
    assert ran.result == {"success": True, "bucket": bucket, "key": key}
    entry = {"type": "api", "service": "stm", "path": "chat/user 42/history.json"}
    assert ran.entry == {**entry, "operation": "store", "success": True}
    ran = await stm.tried("await stmRetrieve(['chat', 'user 42'], 'history.json')")
    assert ran.result == {"turns": ["Hi", "Grüße"]}
    assert ran.entry == {**entry, "operation": "retrieve", "success": True}
    assert [entry.state for entry in ran.entries.values()] == ["done"]


@pytest.mark.parametrize(
    ("kept", "back"),
    [
        ("'plain text'", "plain text"),
        ("'{\"a\": 1}'", {"a": 1}),
        ("42", 42),
        ("[]", []),
        ("null", None),
        ("undefined", None),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
    ],
)
async def test_texts_stay_texts_and_the_rest_is_json(stm: Bench, kept: str, back: object) -> None:
    ran = await stm.run(f"await stmStore([], {kept}, 'a'); ___result___ = [await stmRetrieve([], 'a')]")
    assert ran.result == [back]


async def test_all_values_below_some_names(stm: Bench) -> None:
    ran = await stm.run(
        """await stmStore(['chat', '42'], 1, 'a.json'); await stmStore(['chat', '42', '2026'], 'two', 'b.txt');
        await stmStore(['chat', '421'], 3, 'c.json');
        ___result___ = [await stmRetrieveAll(['chat', '42']), await stmRetrieveAll(['nobody'])]"""
    )
    assert ran.result == [{"a.json": 1, "2026/b.txt": "two"}, {}]
    assert ran.log[-2]["path"] == "chat/42"
    assert ran.log[-2]["operation"] == "retrieve_all"


async def test_values_are_forgotten(stm: Bench) -> None:
    ran = await stm.run(
        """await stmStore(['chat'], 1, 'a'); const gone = [];
        for (let i = 0; i < 2; i++) gone.push(await stmDelete(['chat'], 'a'));
        ___result___ = [...gone, await stmRetrieve(['chat'], 'a')]"""
    )
    assert ran.result == [{"success": True, "existed": True}, {"success": True, "existed": False}, None]


async def test_a_repeat_comes_to_the_same(stm: Bench) -> None:
    first = await stm.tried("await stmStore(['chat'], 1, 'a')")
    assert (
        await stm.tried("await stmStore(['chat'], 1, 'a')", like=first, past=first.cut_off())
    ).result == first.result


@pytest.mark.parametrize("theirs", THEIRS)
async def test_what_others_keep_is_theirs(stm: Bench, theirs: Tenant) -> None:
    await Bench(stm.sandbox, stm.world, theirs).tried("await stmStore(['chat'], 'theirs', 'a')")
    ran = await stm.run(
        """const values = [await stmRetrieve(['chat'], 'a'), await stmRetrieveAll([])];
        ___result___ = [...values, await stmDelete(['chat'], 'a')]"""
    )
    assert ran.result == [None, {}, {"success": True, "existed": False}]
    ran = await Bench(stm.sandbox, stm.world, theirs).tried("await stmRetrieve(['chat'], 'a')")
    assert ran.result == "theirs"


@pytest.mark.parametrize(
    "name", ["'..'", "'.'", "''", "'../env_test'", "'a/b'", "'a\\\\b'", "'a\\u0000'", "'x'.repeat(201)"]
)
async def test_no_name_leads_elsewhere(stm: Bench, name: str) -> None:
    for call in (f"stmStore([{name}], 1, 'a')", f"stmRetrieve(['a'], {name})", f"stmRetrieveAll([{name}])"):
        ran = await stm.tried(f"await {call}")
        assert (ran.failure.code, ran.failure.retryable) == ("invalid_arguments", False), call
        assert (ran.entry["success"], ran.entry["code"]) == (False, "invalid_arguments")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("stmStore('chat', 1, 'a')", "metadata: Expected `array`, got `str`."),
        ("stmStore(['a'], 1)", "Call it as await stmStore(metadata, value, filename)."),
        ("stmStore(['a'], 1, 5)", "filename: Expected `str`, got `int`."),
        ("stmRetrieve([5], 'a')", "metadata[0]: Expected `str`, got `int`."),
        ("stmRetrieveAll()", "Call it as await stmRetrieveAll(metadata)."),
        ("stmDelete(['a'])", "Call it as await stmDelete(metadata, filename)."),
    ],
)
async def test_faults_of_arguments(stm: Bench, call: str, words: str) -> None:
    failure = (await stm.tried(f"await {call}")).failure
    assert failure.code == "invalid_arguments"
    assert words in failure.message


async def test_too_much_at_once(stm: Bench) -> None:
    world = stm.world.short_term
    assert world is not None
    small = stm.reaching(short_term=ShortTermMemory(world._shelf, max_values=2))
    ran = await small.run(
        """for (const name of ['a', 'b', 'c']) await stmStore([], 1, name);
        try { await stmRetrieveAll([]) } catch (e) { ___result___ = [e.code, e.retryable] }"""
    )
    assert ran.result == ["too_large", False]
    assert ran.log[-1]["code"] == "too_large"


@pytest.mark.parametrize(
    "call", ["stmStore([], 1, 'a')", "stmRetrieve([], 'a')", "stmRetrieveAll([])", "stmDelete([], 'a')"]
)
async def test_a_store_that_is_not_there(bench: Bench, call: str) -> None:
    ran = await bench.reaching(short_term=opened("nowhere", "http://127.0.0.1:1")).tried(f"await {call}")
    assert (ran.failure.code, ran.failure.retryable) == ("unavailable", True)
    assert (ran.entry["success"], ran.entry["code"]) == (False, "unavailable")
    hides(ran)


async def test_there_may_be_no_memory(bench: Bench) -> None:
    for call in ("stmStore([], 1, 'a')", "stmRetrieveAll([])", "vectorSearch('x')", "vectorUpsert([])"):
        assert (await bench.tried(f"await {call}")).failure.code == "not_available"


async def test_a_secret_that_is_kept_comes_back_and_is_shown_to_nobody(stm: Bench) -> None:
    ran = await stm.run(
        """await stmStore(['k'], KEY, KEY);
        const back = await stmRetrieve(['k'], KEY);
        ___result___ = [back === KEY, back]""",
        variables={"KEY": CANARY},
    )
    assert ran.result == [True, "***"]
    hides(ran)
