"""Old versions are kept for good, and so it matters under what they are kept."""

from tests.unit.workflows.drawn import ENVIRONMENT, ORGANIZATION, inline, workflow
from tests.unit.workflows.kept import Kept, catalog_of, version_of

DRAWN = {"root": inline("start")}
ELSEWHERE = "env_2"


async def test_a_version_belongs_to_one_environment() -> None:
    made = catalog_of(Kept(), version_of(workflow(DRAWN)))
    assert await made.version(ORGANIZATION, ELSEWHERE, "wf_1", 1) is None
    assert await made.version("org_2", ENVIRONMENT, "wf_1", 1) is None


async def test_whoever_asks_first_does_not_answer_for_another_environment() -> None:
    made = catalog_of(Kept(), version_of(workflow(DRAWN)))
    assert await made.version(ORGANIZATION, ELSEWHERE, "wf_1", 1) is None
    assert await made.version(ORGANIZATION, ENVIRONMENT, "wf_1", 1) is not None
    assert await made.version(ORGANIZATION, ELSEWHERE, "wf_1", 1) is None
