"""The settings of an identity provider: what is missing or unsafe is said before anybody signs in."""

from pathlib import Path
from typing import Any

import pytest

from pulse.bootstrap.settings import load_settings
from pulse.bootstrap.wiring import build
from pulse.core.errors import Misconfigured

ISSUER, CLIENT = "https://id.example.com/realms/all", "pulse"


def oidc_of(folder: Path, **settings: str) -> Any:
    return build(load_settings(folder, **settings)).oidc


def test_without_settings_there_is_none(tmp_path: Path) -> None:
    assert oidc_of(tmp_path) is None


def test_a_provider(tmp_path: Path) -> None:
    found = oidc_of(tmp_path, PULSE_OIDC_ISSUER=ISSUER, PULSE_OIDC_CLIENT_ID=CLIENT, PULSE_OIDC_NAME="Example")
    assert found.name == "Example"
    assert oidc_of(tmp_path, PULSE_OIDC_ISSUER=ISSUER, PULSE_OIDC_CLIENT_ID=CLIENT).name == "single sign-on"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PULSE_OIDC_ISSUER": ISSUER}, "PULSE_OIDC_CLIENT_ID"),
        ({"PULSE_OIDC_CLIENT_ID": CLIENT}, "PULSE_OIDC_ISSUER"),
        ({"PULSE_OIDC_CLIENT_SECRET": "x"}, "PULSE_OIDC_ISSUER"),
        ({"PULSE_OIDC_ISSUER": "http://id.example.com", "PULSE_OIDC_CLIENT_ID": CLIENT}, "must begin with https"),
        (
            {"PULSE_OIDC_ISSUER": "http://127.0.0.1.example.com", "PULSE_OIDC_CLIENT_ID": CLIENT},
            "must begin with https",
        ),
        ({"PULSE_OIDC_ISSUER": "id.example.com", "PULSE_OIDC_CLIENT_ID": CLIENT}, "must be an address"),
        ({"PULSE_OIDC_ISSUER": f"{ISSUER}?a=b", "PULSE_OIDC_CLIENT_ID": CLIENT}, "must be an address"),
        ({"PULSE_OIDC_ISSUER": f"{ISSUER}#a", "PULSE_OIDC_CLIENT_ID": CLIENT}, "must be an address"),
        ({"PULSE_OIDC_ISSUER": "https://a:b@id.example.com", "PULSE_OIDC_CLIENT_ID": CLIENT}, "must be an address"),
        ({"PULSE_OIDC_ISSUER": "https://[id", "PULSE_OIDC_CLIENT_ID": CLIENT}, "must be an address"),
    ],
)
def test_settings_that_are_no_provider(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        oidc_of(tmp_path, **settings)
