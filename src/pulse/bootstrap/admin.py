"""The admin API of this very process, asked without a connection, with the rights of one environment."""

from typing import Any

import httpx2
from starlette.types import ASGIApp

from pulse.effects.world.assistant import AdminRefused
from pulse.tenancy.access import Authenticator

TIMEOUT_S = 30.0


class OwnAdminApi:
    """Implements `AdminApi`. `app` is this process's face, once it has one."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self.app: ASGIApp | None = None

    async def ask(
        self, organization_id: str, environment_id: str, method: str, path: str, params: dict[str, Any], key: str
    ) -> Any:
        if self.app is None:
            raise AdminRefused("not_available", "The admin API is not in this process.", 503)
        token = self._authenticator.token_of_scripts(organization_id, environment_id)
        headers = {"authorization": f"Bearer {token}", "idempotency-key": key}
        given: dict[str, Any] = {"json": params} if method == "POST" else {"params": params}
        # A fault of the API is an answer, too.
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://pulse.invalid", trust_env=False) as client:
            reply = await client.request(method, path, headers=headers, timeout=TIMEOUT_S, **given)
        data = reply.json() if reply.content else None
        if reply.status_code >= 400:
            told = data if isinstance(data, dict) else {}
            words = str(told.get("detail") or told.get("title") or reply.reason_phrase)
            raise AdminRefused(str(told.get("code", reply.status_code)), words, reply.status_code)
        return data
