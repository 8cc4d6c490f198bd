"""What is secret about a credential or a legacy model: one sealed text a version, opened only to make a request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.clock import Clock
from pulse.core.errors import NotFound
from pulse.tenancy.secrets.data_keys import DataKey, DataKeys
from pulse.tenancy.secrets.vault import Vault
from pulse.tenancy.tables import TenancyTables


@dataclass(frozen=True)
class Secrets:
    """What proves who asks. None: there is none of it (or, in a change: what is stored stays)."""

    api_key: str | None = field(default=None, repr=False)
    service_account: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)

    def changed_by(self, given: "Secrets") -> "Secrets":
        """These, with what is given in their place; what is given as empty is gone."""
        changes: dict[str, Any] = {name: value for name, value in vars(given).items() if value is not None}
        return replace(self, **{name: value or None for name, value in changes.items()})

    @property
    def are_given(self) -> bool:
        """Whether any of it is there."""
        return any(vars(self).values())

    def flags(self) -> dict[str, bool]:
        """What may be told of them."""
        return {
            "has_api_key": bool(self.api_key),
            "has_service_account": bool(self.service_account),
            "has_access_keys": bool(self.access_key and self.secret_key),
            "has_custom_headers": bool(self.headers),
        }


class SecretKeys:
    """Seals and opens the secrets of credentials and legacy models, under their organization's data key.

    The installation has no row among the organizations; its data key is in `system_keys`.
    """

    def __init__(self, tenancy: TenancyTables, system_keys: Table, system: str, vault: Vault, clock: Clock) -> None:
        self._system = system
        self._organizations = tenancy.organizations
        self._of_organizations = DataKeys(tenancy, vault, clock)
        self._of_system = DataKeys(replace(tenancy, data_keys=system_keys), vault, clock)

    async def seal(
        self, connection: AsyncConnection, organization_id: str, credential: tuple[str, int], secrets: Secrets
    ) -> bytes:
        """`credential` is its id and the version of its secrets. Raises NotFound for an unknown organization."""
        await self._require(connection, organization_id)
        key = await self._keys(organization_id).made(connection, organization_id)
        present = {name: value for name, value in vars(secrets).items() if value}
        return key.seal(_bound_to(*credential), json.dumps(present).encode())

    async def open(
        self, connection: AsyncConnection, organization_id: str, credential: tuple[str, int], sealed: bytes
    ) -> Secrets:
        """Raises Misconfigured where the row was moved or changed, or the master key is another one."""
        key: DataKey = await self._keys(organization_id).of(connection, organization_id)
        return Secrets(**json.loads(key.open(_bound_to(*credential), sealed)))

    async def _require(self, connection: AsyncConnection, organization_id: str) -> None:
        c = self._organizations.c
        known = select(c.id).where(c.id == organization_id)
        if organization_id != self._system and await connection.scalar(known) is None:
            raise NotFound(f"There is no organization {organization_id!r}.")

    def _keys(self, organization_id: str) -> DataKeys:
        return self._of_system if organization_id == self._system else self._of_organizations


def _bound_to(credential_id: str, version: int) -> str:
    return f"model-credential:{credential_id}:{version}"
