"""Nothing that schemathesis makes up breaks the API, or gets an answer that the OpenAPI document does not describe."""

from pathlib import Path

import pytest

from tests.integration.console.matrix.schema.prober import prober

SAMPLE, FULL = 2_000, 20_000


@pytest.mark.timeout(3_600)
def test_what_schemathesis_makes_up(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    size = FULL if pytestconfig.getoption("--matrix") == "full" else SAMPLE
    with prober(tmp_path / "data") as probing:
        probing.run(size)
    failures = sorted(set(probing.failures))
    assert failures == [], f"{len(failures)} of {probing.asked.total()}:\n" + "\n".join(failures[:20])
    assert probing.asked.total() >= size
    assert probing.asked[200] > size / 20, probing.asked
