"""Settings: each from its environment variable and from the file, under its own name alone, and secrets masked."""

from pathlib import Path
from typing import Any

import pytest

from pulse.bootstrap.settings import Settings, described, load_settings
from pulse.core.errors import Misconfigured

# The name of every setting, its default, and another value as text.
NAMES: dict[str, tuple[Any, str]] = {
    "PULSE_DATA": (".pulse", "/tmp/elsewhere"),
    "PULSE_DATABASE_URL": (None, "sqlite+aiosqlite:////tmp/x.db"),
    "PULSE_OBJECTS_URL": (None, "file:///tmp/objects"),
    "PULSE_BUS_URL": (None, "redis://127.0.0.1:6379"),
    "REDIS_URL": (None, "redis://127.0.0.1:6380"),
    "PULSE_SECRET_KEY": (None, "a-secret-key"),
    "PULSE_PUBLIC_URL": (None, "https://pulse.example.com"),
    "PULSE_OIDC_ISSUER": (None, "https://id.example.com"),
    "PULSE_OIDC_CLIENT_ID": (None, "pulse"),
    "PULSE_OIDC_CLIENT_SECRET": (None, "a secret"),
    "PULSE_OIDC_NAME": (None, "Example"),
    "PULSE_OIDC_CREATE_USERS": ("no", "yes"),
    "STRIPE_SECRET_KEY": (None, "sk_test_1"),
    "STRIPE_WEBHOOK_SECRET": (None, "whsec_new,whsec_old"),
    "PULSE_STRIPE_URL": ("https://api.stripe.com", "http://127.0.0.1:12111"),
    "PULSE_APP": (None, "shop:engine"),
    "PULSE_MAIL_URL": (None, "smtp://localhost:2525"),
    "PULSE_MAIL_FROM": (None, "Pulse <pulse@example.org>"),
    "EGRESS_ALLOW": (None, "10.0.0.0/8"),
    "AWS_REGION": ("us-east-2", "eu-west-1"),
    "PULSE_AWS_AMBIENT": ("no", "yes"),
    "EMBEDDING_MODEL_ID": (None, "mcf_1"),
    "ASSISTANT_VECTOR_BACKEND": ("database", "pinecone"),
    "PINECONE_HOST": (None, "index.example.org"),
    "PINECONE_API_KEY": (None, "a key"),
    "ASSISTANT_WORKFLOW_ORG_ID": (None, "org_1"),
    "ASSISTANT_WORKFLOW_ENV_ID": (None, "env_1"),
    "PULSE_TRUSTED_PROXIES": (None, "10.0.0.0/8,192.0.2.1"),
    "MAX_MESSAGE_BYTES": (1 << 20, "2048"),
    "MESSAGE_TIMEOUT": (900_000, "1000"),
    "MESSAGE_RETENTION_DAYS": (30, "7"),
    "CACHE_REFRESH_SECONDS": (300, "5"),
    "RESULTS_LAYOUT": ("segment", "object"),
    "SANDBOX_REALM": ("verified", "fresh"),
    "SANDBOX_WALLS": ("auto", "off"),
    "SANDBOX_IDLE_MAX": (16, "2"),
    "SCRIPT_TIMEOUT": (5_000, "250"),
    "ISOLATE_MEMORY": (128, "64"),
    "WORKER_POOL_SIZE": (4, "8"),
}
FIELDS = {str(field.alias): name for name, field in Settings.model_fields.items()}


def value(settings: Settings, name: str) -> Any:
    found = getattr(settings, FIELDS[name])
    return found.get_secret_value() if hasattr(found, "get_secret_value") else found


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that PULSE_CONFIG names."""
    path = tmp_path / "pulse.toml"
    monkeypatch.setenv("PULSE_CONFIG", str(path))
    return path


def test_every_setting_is_tried_here() -> None:
    assert FIELDS.keys() == NAMES.keys()
    assert all(description for _, _, description in described(load_settings()))


@pytest.mark.parametrize("name", NAMES)
def test_the_default(name: str) -> None:
    found = value(load_settings(), name)
    assert (str(found) if isinstance(found, Path) else found) == NAMES[name][0]


@pytest.mark.parametrize("name", NAMES)
def test_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, NAMES[name][1])
    assert str(value(load_settings(), name)) == NAMES[name][1]


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_counts_as_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert value(load_settings(), name) == value(Settings(), name)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_and_that_the_environment_wins_over_it(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = NAMES[name][1]
    file.write_text(f"{name} = {text if text.isdigit() else repr(text)}\n")
    assert str(value(load_settings(), name)) == text
    default = NAMES[name][0]
    monkeypatch.setenv(name, str(default if default is not None else "sqlite+aiosqlite:////tmp/y.db"))
    assert str(value(load_settings(), name)) != text


@pytest.mark.parametrize("name", ["DATA", "DATABASE_URL", "SECRET_KEY", "OBJECTS_URL", "MESSAGE_TIMEOUT_MS", "data"])
def test_the_variables_of_other_programs_are_not_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "17")
    assert load_settings() == Settings()


def test_the_option_wins_over_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("PULSE_DATA = '/file'\n")
    monkeypatch.setenv("PULSE_DATA", "/environment")
    assert load_settings(Path("/option")).data == Path("/option")
    assert load_settings().data == Path("/environment")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PULSE_DATA = ", "which is not TOML"),
        ("[pulse]\nPULSE_DATA = 'x'", "does not know: pulse"),
        ("PULSE_DTA = 'x'\nTYPO = 1", "does not know: PULSE_DTA, TYPO"),
        ("pulse_data = 'x'", "does not know: pulse_data"),
        ("PULSE_STREAM_URL = 'nats://x'", "does not know: PULSE_STREAM_URL"),
        ("MAX_MESSAGE_BYTES = 'lots'", "MAX_MESSAGE_BYTES: Input should be a valid integer"),
        ("PULSE_DATA = 7", "PULSE_DATA: Input is not a valid path"),
    ],
)
def test_a_file_that_is_wrong(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(Misconfigured, match=words):
        load_settings()


def test_a_file_that_cannot_be_read(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        load_settings()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="not TOML"):
        load_settings()
    monkeypatch.setenv("PULSE_CONFIG", str(tmp_path))
    with pytest.raises(Misconfigured, match="Is a directory"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAX_MESSAGE_BYTES", "1023"),
        ("MAX_MESSAGE_BYTES", "1e6"),
        ("MAX_MESSAGE_BYTES", str(17 << 20)),
        ("MESSAGE_TIMEOUT", "99"),
        ("MESSAGE_RETENTION_DAYS", "0"),
        ("PULSE_AWS_AMBIENT", "perhaps"),
        ("PULSE_OIDC_CREATE_USERS", "maybe"),
        ("ASSISTANT_VECTOR_BACKEND", "openai"),
        ("CACHE_REFRESH_SECONDS", "-1"),
        ("RESULTS_LAYOUT", "both"),
        ("SANDBOX_REALM", "shared"),
        ("SANDBOX_WALLS", "none"),
        ("SANDBOX_IDLE_MAX", "-1"),
        ("SCRIPT_TIMEOUT", "forever"),
        ("ISOLATE_MEMORY", "8"),
        ("WORKER_POOL_SIZE", "0"),
    ],
)
def test_a_value_that_is_none_names_its_setting(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(Misconfigured, match=f"{name}: .*\\.$"):
        load_settings()


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_TIMEOUT", "x")
    monkeypatch.setenv("ISOLATE_MEMORY", "y")
    with pytest.raises(Misconfigured, match=r"SCRIPT_TIMEOUT: .*; ISOLATE_MEMORY: "):
        load_settings()


SECRET = "hunter2/x@y"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PULSE_SECRET_KEY", SECRET),
        ("PULSE_OIDC_CLIENT_SECRET", SECRET),
        ("PULSE_SECRET_KEY", f"new,{SECRET}"),
        ("PULSE_DATABASE_URL", f"postgresql://pulse:{SECRET}@db.example:5432/pulse"),
        ("PULSE_DATABASE_URL", f"postgresql+asyncpg://:{SECRET}@/pulse"),
        ("PULSE_DATABASE_URL", f"postgresql://db/pulse?user=u&password={SECRET}&ssl=on"),
        ("PULSE_OBJECTS_URL", f"s3://bucket/prefix?aws_secret_access_key={SECRET}"),
        ("PULSE_BUS_URL", f"redis://:{SECRET}@redis.example:6379/0"),
        ("REDIS_URL", f"redis://redis.example?username=pulse&password={SECRET}"),
        ("STRIPE_SECRET_KEY", f"sk_live_{SECRET}"),
        ("STRIPE_WEBHOOK_SECRET", f"whsec_1,{SECRET}"),
    ],
)
def test_secrets_are_masked(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    shown = {row[0]: row[1] for row in described(load_settings())}[name]
    assert "***" in shown
    assert "hunter2" not in shown
    assert SECRET not in repr(load_settings()) or name != "PULSE_SECRET_KEY"


def test_what_is_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://pulse@db.example:5432/pulse?ssl=require"
    monkeypatch.setenv("PULSE_DATABASE_URL", url)
    shown = {row[0]: row[1] for row in described(load_settings())}
    assert shown["PULSE_DATABASE_URL"] == url
    assert shown["MAX_MESSAGE_BYTES"] == "1048576"


def test_the_bus_is_the_one_named_or_else_redis_or_else_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().resolved_bus_url == "memory:"
    monkeypatch.setenv("REDIS_URL", "redis://shared")
    assert load_settings().resolved_bus_url == "redis://shared"
    monkeypatch.setenv("PULSE_BUS_URL", "memory:")
    assert load_settings().resolved_bus_url == "memory:"


def test_what_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().is_embedded
    assert load_settings().resolved_database_url == "sqlite+aiosqlite:///.pulse/pulse.db"
    monkeypatch.setenv("PULSE_DATABASE_URL", "postgresql://db/pulse")
    assert not load_settings().is_embedded


def test_the_public_address_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().own_address is None
    monkeypatch.setenv("PULSE_PUBLIC_URL", "https://pulse.example.com:8443/")
    assert load_settings().own_address == "https://pulse.example.com:8443"


@pytest.mark.parametrize(
    "text",
    [
        *("pulse.example.com", "ftp://pulse.example.com", "https://", "https://[pulse", "https://a b.example.com"),
        *("https://pulse.example.com/pulse", "https://pulse.example.com?a", "https://a:b@pulse.example.com"),
    ],
)
def test_what_is_no_public_address(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_PUBLIC_URL", text)
    with pytest.raises(Misconfigured, match="PULSE_PUBLIC_URL must"):
        _ = load_settings().own_address
