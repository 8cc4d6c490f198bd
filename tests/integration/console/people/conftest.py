"""Passwords cost what they must cost only where that is what is tested (tests/unit/tenancy/test_passwords.py)."""

import pytest
from argon2 import PasswordHasher

from tests.integration.receiver.installation import Installation


@pytest.fixture(autouse=True)
def quick(pulse: Installation) -> None:
    pulse.parts.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1 << 10)
