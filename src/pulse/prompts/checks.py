"""Trying a credential: one real, cheap request, whose outcome is kept beside the credential."""

from collections.abc import Mapping

from pulse.core.errors import Misconfigured, NotFound
from pulse.models.catalogue import Catalogue
from pulse.models.port import ModelFailed, Models
from pulse.prompts.credentials import CredentialStore, found_provider
from pulse.prompts.records import Credential


class CredentialChecks:
    """Tries credentials. `formats` are the wire formats by name (`Provider.api_format`)."""

    def __init__(self, credentials: CredentialStore, catalogue: Catalogue, formats: Mapping[str, Models]) -> None:
        self._credentials = credentials
        self._catalogue = catalogue
        self._formats = formats

    async def validate(self, organization_id: str, credential_id: str) -> Credential:
        """The credential with `last_validated` and `validation_error` (None: it is good).

        An organization tries its own ones only: NotFound otherwise. Also raises CredentialInactive, Misconfigured.
        """
        credential = await self._credentials.get(organization_id, credential_id)
        if credential.organization_id != organization_id:
            raise NotFound(f"There is no credential {credential_id!r}.")
        provider = found_provider(self._catalogue, credential.provider)
        format_ = None if provider is None else self._formats.get(provider.api_format)
        if format_ is None:
            raise Misconfigured(f"This installation cannot speak to {credential.provider}: its format is not set up.")
        access = await self._credentials.access_of(organization_id, credential_id)
        try:
            await format_.check(access)
        except ModelFailed as error:
            return await self._credentials.note_validation(organization_id, credential_id, error.message)
        return await self._credentials.note_validation(organization_id, credential_id, None)
