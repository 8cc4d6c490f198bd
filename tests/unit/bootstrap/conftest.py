"""Nothing of the machine's own settings reaches a test."""

import os

import pytest

from pulse.bootstrap.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"PULSE_CONFIG", *(str(field.alias) for field in Settings.model_fields.values())}
    for name in [name for name in os.environ if name.upper() in ours]:
        monkeypatch.delenv(name)
