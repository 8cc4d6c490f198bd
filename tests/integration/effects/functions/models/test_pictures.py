"""Pictures for models: given to a call, or found in a message by a Prompt's own step."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pulse.core.templates import cut
from pulse.effects.world.images import MAX_BYTES
from tests.integration.effects.functions.bench import Bench
from tests.integration.effects.functions.models.offices import Office
from tests.integration.effects.functions.peers import told
from tests.integration.egress.servers import HOME, Server, by_path, redirect, serving
from tests.sandbox_support import event

PNG = b"\x89PNG\r\n\x1a\n" + b"a picture"
JPEG = b"\xff\xd8\xff\xe0" + b"a picture"
GIF, WEBP = b"GIF89a" + b"a picture", b"RIFF\x09\x00\x00\x00WEBP" + b"a picture"


def ask(model: Any, text: str = "Which day is it?", *more: Any) -> str:
    return f"await promptCallUniversal({', '.join(json.dumps(each) for each in (model, text, *more))})"


def prompt(text: str, post: str | None = None, **fields: Any) -> dict[str, Any]:
    node = {"kind": "prompt", "entityId": "p", "name": "Prompt", "type": "Prompt", "arguments": []}
    return {
        **node,
        "promptParts": cut(text),
        "asks": post is None,
        **({} if post is None else {"post": post}),
        **fields,
    }


def pictures(*given: str) -> str:
    return json.dumps(list(given))


def data_url(picture: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    answers = {
        "png": told(200, PNG, kind="image/png"),
        "jpeg": told(200, JPEG, kind="application/octet-stream"),
        "moved": redirect("/png"),
        "text": told(200, b"<html>no picture</html>", kind="image/png"),
        "empty": told(200, b"", kind="image/png"),
        "gone": told(404, {}),
        "broken": told(502, {}),
        "large": told(200, PNG + bytes(MAX_BYTES), kind="image/png"),
        "inner": redirect("http://169.254.169.254/latest/meta-data/"),
    }
    async with serving(by_path(**answers), HOME) as running:
        yield running


async def test_pictures_are_fetched_or_read(scripts: Bench, office: Office, server: Server) -> None:
    given = [server.url("/png"), server.url("/jpeg?size=l"), server.url("/moved")]
    given += [data_url(GIF, "image/gif"), data_url(WEBP), base64.b64encode(PNG).decode()]
    ran = await scripts.tried(ask(None, "What is this?", pictures(*given)))
    (asked,) = office.models.asked
    assert [(image.media_type, image.data) for image in asked.images] == [
        ("image/png", PNG),
        ("image/jpeg", JPEG),
        ("image/png", PNG),
        ("image/gif", GIF),
        ("image/webp", WEBP),
        ("image/png", PNG),
    ]
    assert "It came with 6 images." in ran.result
    assert server.requests[0].header("accept") == "image/*"
    assert all(heard.header("idempotency-key") is None for heard in server.requests)


@pytest.mark.parametrize("given", ["null", "''", "'[]'", "[]", "undefined"])
async def test_no_pictures(scripts: Bench, office: Office, given: str) -> None:
    await scripts.tried(f"await promptCallUniversal(null, 'Hi', {given})")
    assert list(office.models.asked[0].images) == []


@pytest.mark.parametrize(
    ("path", "code", "retryable"),
    [
        ("/text", "invalid_image", False),
        ("/empty", "invalid_image", False),
        ("/gone", "invalid_image", False),
        ("/broken", "invalid_image", True),
        ("/large", "answer_too_large", False),
        ("/inner", "address_refused", False),
    ],
)
async def test_pictures_that_cannot_be_had(
    scripts: Bench, office: Office, server: Server, path: str, code: str, *, retryable: bool
) -> None:
    ran = await scripts.tried(ask(None, "What is this?", pictures(server.url(path))))
    assert (ran.failure.code, ran.failure.retryable) == (code, retryable)
    assert office.models.asked == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["no picture"], "invalid_image"),
        (["data:image/png;base64,%%%"], "invalid_image"),
        (["data:text/html,<p>"], "invalid_image"),
        ([data_url(b"<svg></svg>", "image/svg+xml")], "invalid_image"),
        (["file:///etc/passwd"], "invalid_image"),
        ([5], "invalid_arguments"),
        ([data_url(PNG)] * 11, "invalid_arguments"),
        ({"url": "x"}, "invalid_arguments"),
    ],
)
async def test_what_is_no_picture(scripts: Bench, office: Office, given: Any, code: str) -> None:
    for form in (given, json.dumps(given)):
        failure = (await scripts.tried(ask(None, "What is this?", form))).failure
        assert failure.code == code
    assert office.models.asked == []


async def test_a_prompt_sends_the_pictures_of_the_message(scripts: Bench, office: Office, server: Server) -> None:
    message = {
        "photo": server.url("/jpeg"),
        "deep": {"anything": data_url(GIF, "image/gif")},
        "page": server.url("/png"),
    }
    await scripts.run([event(), prompt("What is this?", imageRecognition=True)], message=message)
    await scripts.run([event(), prompt("What is this?")], message=message)
    seen, unseen = office.models.asked
    assert [image.media_type for image in seen.images] == ["image/jpeg", "image/gif"]
    assert list(unseen.images) == []
