"""Models as calls need them, kept in memory: a call of a model costs the database nothing.

A change made in this process is in force at once (`forget`); one made elsewhere when it is announced, or after at most
`seconds`.
"""

from pulse.core.errors import NotFound
from pulse.core.kept import Kept
from pulse.prompts.configurations import ConfigurationStore, ResolvedModel
from pulse.prompts.legacy import LegacyStore
from pulse.prompts.records import LegacyAccess


class KeptModels:
    """Implements `Resolver`, and chooses models by id, by name, or by default."""

    def __init__(self, configurations: ConfigurationStore, legacy: LegacyStore, seconds: float) -> None:
        self._configurations = configurations
        self._legacy = legacy
        self._chosen = Kept(self._choose, seconds)
        self._resolved = Kept(self._resolve, seconds)

    async def choose(self, organization_id: str, wanted: str | None) -> str | LegacyAccess:
        """The id of the configuration of that id or name, without one of the default; or else the legacy model.

        Raises NotFound, Misconfigured where a legacy model's secrets cannot be opened.
        """
        return await self._chosen.get((organization_id, wanted))

    async def resolve(self, organization_id: str, configuration_id: str) -> ResolvedModel:
        """Raises as ConfigurationStore.resolve does."""
        return await self._resolved.get((organization_id, configuration_id))

    def forget(self, _organization_id: str, _environment_id: str) -> None:
        """To be called when something of models has changed: what is the installation's concerns all."""
        self.forget_all()

    def forget_all(self) -> None:
        """To be called when changes may have been missed."""
        self._chosen.forget_all()
        self._resolved.forget_all()

    async def _choose(self, key: tuple[str, str | None]) -> str | LegacyAccess:
        organization_id, wanted = key
        if wanted is None:
            return (await self._configurations.default_of(organization_id)).id
        try:
            return (await self._configurations.find(organization_id, wanted)).id
        except NotFound:
            return await self._older(organization_id, wanted)

    async def _older(self, organization_id: str, wanted: str) -> LegacyAccess:
        try:
            return await self._legacy.access_of(organization_id, wanted)
        except NotFound:
            raise NotFound(f"There is no model {wanted!r}: name a model configuration by its id or name.") from None

    async def _resolve(self, key: tuple[str, str]) -> ResolvedModel:
        return await self._configurations.resolve(*key)
