"""The matrix finds what it is there to find: each test takes one check away, and sees the matrix report it."""

from typing import Any

import pytest

from pulse.console import access
from pulse.core.errors import Forbidden, NotFound
from pulse.prompts.legacy import LegacyStore
from pulse.tenancy.access import Principal, authorize
from tests.integration.console.matrix.calls import calls
from tests.integration.console.matrix.matrix import Matrix

ONE = "/models/{model_id}"


async def about(asked: Matrix, *names: str) -> list[str]:
    """What is wrong with these operations, every call of them."""
    operations = [each for each in asked.operations if str(each) in names]
    assert len(operations) == len(names)
    return await asked.run(calls(operations, asked.who.values()))


async def test_nothing_is_wrong_before(asked: Matrix) -> None:
    assert await about(asked, f"GET {ONE}", "POST /models", f"DELETE {ONE}", "GET /variables") == []


async def test_a_right_that_is_not_checked(asked: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(principal: Principal, action: str) -> None:
        if action != "models:write":
            authorize(principal, action)

    monkeypatch.setattr(access, "authorize", generous)
    failures = "\n".join(await about(asked, "POST /models"))
    for name in ("Guest", "User", "key with every other scope", "script"):
        assert f"POST /models by {name}: 201, and not [403]" in failures
    assert "POST /models: all were refused, and yet there changed" in failures


async def test_a_store_that_does_not_look_whose_it_is(asked: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    real, owners = LegacyStore.get, [asked.home, asked.stranger, asked.victim]

    async def get(self: LegacyStore, _organization_id: str, model_id: str) -> Any:
        for owner in owners:
            try:
                return await real(self, owner.tenant.organization_id, model_id)
            except NotFound:
                pass
        raise NotFound

    monkeypatch.setattr(LegacyStore, "get", get)
    failures = "\n".join(await about(asked, f"GET {ONE}", f"DELETE {ONE}"))
    assert "GET /models/{model_id} by Guest path:model_id: 200" in failures
    assert f"the answer shows ['{asked.victim.canary}'" in failures
    assert "DELETE /models/{model_id} by stranger's Admin: 204" in failures
    assert "the victim has changed" in failures


async def test_an_answer_that_tells_which_ids_there_are(asked: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    real, theirs = LegacyStore.get, asked.victim.ids["model"]

    async def get(self: LegacyStore, organization_id: str, model_id: str) -> Any:
        if model_id == theirs:
            raise Forbidden("This belongs to somebody else.")
        return await real(self, organization_id, model_id)

    monkeypatch.setattr(LegacyStore, "get", get)
    failures = "\n".join(await about(asked, f"GET {ONE}"))
    assert (
        "GET /models/{model_id} by Guest path:model_id: (403, 'forbidden'), while an id that nobody has is" in failures
    )


async def test_keys_that_never_end(asked: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulse.tenancy.records.ApiKey.has_ended", lambda self, now: False)
    failures = "\n".join(await about(asked, "GET /variables"))
    for name in ("revoked key", "expired key"):
        assert f"GET /variables by {name}: 200, and not [401]" in failures
