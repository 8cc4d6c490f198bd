"""What the audit says of an installation, asked as its operator."""

from typing import Any, Protocol

import pytest

from tests.integration.receiver.installation import Installation, Tenant

Found = list[dict[str, Any]]


class Entries(Protocol):
    """The entries of a tenant's chain, or of the installation's where none is given; the oldest first."""

    async def __call__(self, tenant: Tenant | None = None, **wanted: Any) -> Found: ...


@pytest.fixture
def entries(pulse: Installation) -> Entries:
    async def read(tenant: Tenant | None = None, **wanted: Any) -> Found:
        place = {"organizationId": tenant.organization_id} if tenant is not None else {}
        query = {"limit": 1000, **place, **wanted}
        answer = await pulse.client.get("/api/audit", params=query, headers=pulse.operator)
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["data"]))

    return read
