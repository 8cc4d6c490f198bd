"""What is shed at the door: too much of one organization, and everything when the disk runs low."""

from pathlib import Path

import pytest

from pulse.core.errors import StorageFull, StorageReadOnly
from pulse.receiver.admission import Admission
from pulse.receiver.problems import TooManyRequests, problem, problem_response

NEVER_LOW, ALWAYS_LOW = 0, 1 << 62


def test_an_organization_has_so_many_at_once_and_no_more() -> None:
    admission = Admission(None, per_organization=2)
    with admission.entering("a"), admission.entering("a"):
        with pytest.raises(TooManyRequests), admission.entering("a"):
            pass
        with admission.entering("b"):
            pass
    with admission.entering("a"), admission.entering("a"):
        pass


def test_what_fails_inside_leaves_again() -> None:
    admission = Admission(None, per_organization=1)
    with pytest.raises(KeyError), admission.entering("a"):
        raise KeyError
    with admission.entering("a"):
        pass


def test_one_that_is_larger_than_the_limit_gets_in_alone() -> None:
    admission = Admission(None, per_organization=2)
    with admission.entering("a", 5), pytest.raises(TooManyRequests), admission.entering("a"):
        pass


def test_a_full_disk_refuses_all(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageFull, match="nothing was accepted"),
        Admission(tmp_path, low_water=ALWAYS_LOW).entering("a"),
    ):
        pass
    with Admission(tmp_path, low_water=NEVER_LOW).entering("a"):
        pass


def test_a_folder_that_is_gone_refuses_all(tmp_path: Path) -> None:
    with pytest.raises(StorageReadOnly, match="gone"), Admission(tmp_path / "none").entering("a"):
        pass


def test_too_many_says_when_to_come_back() -> None:
    answer = problem_response(TooManyRequests(limit=7))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    wanted = {"ratelimit-limit": "7", "ratelimit-remaining": "0", "ratelimit-reset": "1"}
    assert {name: answer.headers[name] for name in wanted} == wanted


def test_a_full_disk_is_507() -> None:
    assert problem(StorageFull())["status"] == 507
