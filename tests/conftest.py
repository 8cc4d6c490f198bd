"""What every test has: asyncio as the only event loop, and how much of the chaos suite this run is for."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos",
        choices=("share", "quick", "full"),
        default="share",
        help="tests/chaos: a small share of it (default), six minutes (quick) or up to an hour (full)",
    )
    parser.addoption(
        "--matrix",
        choices=("sample", "full"),
        default="sample",
        help="tests/integration/console/matrix: a sample of the requests (default), or all of them (full)",
    )


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests need no mark (`anyio_mode = "auto"`); all of them run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def chaos(request: pytest.FixtureRequest) -> str:
    """`share`, `quick` or `full`: a chaos test takes its rounds and its time from this."""
    return str(request.config.getoption("--chaos"))
