"""Every adapter with a peer it can speak to, as the contract sees them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from aiobotocore.session import AioSession  # type: ignore[import-untyped]

from pulse.egress.port import Egress
from pulse.models.anthropic import AnthropicModels
from pulse.models.bedrock import BedrockModels
from pulse.models.google import GoogleModels
from pulse.models.mock import MockModels
from pulse.models.openai import OpenAIModels
from pulse.models.port import Access, Models, Prompt
from pulse.models.responses import ResponsesModels
from tests.contract.conftest import SetClock
from tests.contract.models.peers import anthropic, bedrock, google, openai
from tests.contract.models.peers.serving import Peer, running
from tests.contract.models.way_out import WayOut

NAMES = ("openai", "responses", "anthropic", "google", "google_account", "bedrock", "mock")
# What its peer calls a reason to stop.
STOPS: Mapping[str, Mapping[str, str]] = {
    "openai": {"length": "length", "filtered": "content_filter"},
    "responses": {"length": "max_output_tokens", "filtered": "content_filter"},
    "anthropic": {"length": "max_tokens", "filtered": "refusal"},
    "google": {"length": "MAX_TOKENS", "filtered": "SAFETY"},
    "google_account": {"length": "MAX_TOKENS", "filtered": "BLOCKED"},
    "bedrock": {"length": "max_tokens", "filtered": "guardrail_intervened"},
}


async def waited(_seconds: float) -> None:
    """Time passes at once."""


@dataclass
class Provider:
    """An adapter, the way in, and its peer (None where there is none)."""

    name: str
    models: Models
    access: Access
    model: str
    embedder: str | None
    peer: Peer | None
    secrets: tuple[str, ...] = ()
    way_out: WayOut = field(default_factory=WayOut)

    def prompt(self, text: str = "What is the capital of France?", **changes: object) -> Prompt:
        return replace(Prompt(self.model, text), **changes)  # type: ignore[arg-type]

    def failing(self, reason: str) -> Access:
        """From now on every request fails for that reason."""
        if self.peer is None:
            return replace(self.access, headers={"x-mock-fail": f"{reason};7"})
        self.peer.does.reason = reason
        return self.access

    def stopping(self, why: str, prompt: Prompt) -> Prompt:
        """From now on every answer ends so."""
        if self.peer is None:
            return replace(prompt, max_tokens=3)
        self.peer.does.stop = STOPS[self.name][why]
        return prompt


@asynccontextmanager
async def provided(name: str) -> AsyncIterator[Provider]:
    """The adapter of that name, its peer running."""
    async with AsyncExitStack() as stack:
        if name == "mock":
            yield Provider(name, MockModels(waited), Access(), "mock-small", "mock-embedding", None)
            return
        peer = PEERS[name]()
        await stack.enter_async_context(running(peer))
        way_out = WayOut()
        stack.push_async_callback(way_out.close)
        yield replace(connected(name, peer, way_out), way_out=way_out)


PEERS: Mapping[str, type[Peer]] = {
    "openai": openai.OpenAIPeer,
    "responses": openai.ResponsesPeer,
    "anthropic": anthropic.AnthropicPeer,
    "google": google.GooglePeer,
    "google_account": google.GooglePeer,
    "bedrock": bedrock.BedrockPeer,
}


def connected(name: str, peer: Peer, egress: Egress) -> Provider:
    clock = SetClock()
    match name:
        case "openai" | "responses":
            made = OpenAIModels if name == "openai" else ResponsesModels
            access = Access(base_url=f"{peer.url}/v1/", api_key=openai.KEY)
            models: Models = made(egress, clock)
            return Provider(name, models, access, "gpt-4.1", "text-embedding-3-small", peer, (openai.KEY,))
        case "anthropic":
            access = Access(base_url=f"{peer.url}/v1", api_key=anthropic.KEY)
            models = AnthropicModels(egress, clock)
            return Provider(name, models, access, "claude-sonnet-5-5", None, peer, (anthropic.KEY,))
        case "bedrock":
            access = Access(access_key=bedrock.ACCESS_KEY, secret_key=bedrock.SECRET_KEY, region=bedrock.REGION)
            models = bedrock_models(clock, peer)
            secrets = (bedrock.ACCESS_KEY, bedrock.SECRET_KEY)
            return Provider(name, models, access, "amazon.nova-pro-v1:0", "amazon.titan-embed-text-v2:0", peer, secrets)
        case _:
            return google_provider(name, peer, egress, clock)


def bedrock_models(clock: SetClock, peer: Peer) -> BedrockModels:
    """It reads the descriptions of AWS's services once a process, as one of a platform does."""
    made = BedrockModels(clock, endpoint_url=peer.url, control_endpoint_url=peer.url)
    made._clients._alone.register_component("data_loader", service_descriptions())
    return made


@cache
def service_descriptions() -> object:
    loader: object = AioSession().get_component("data_loader")
    return loader


def google_provider(name: str, peer: Peer, egress: Egress, clock: SetClock) -> Provider:
    base_url = f"{peer.url}/v1beta"
    key_file = google.account().file(f"{peer.url}/token")
    by_key = Access(base_url=base_url, api_key=google.KEY)
    by_account = Access(base_url=base_url, service_account=key_file)
    secrets = (google.KEY, google.TOKEN, *key_file.split("\\n")[1:4])
    access = by_key if name == "google" else by_account
    models = GoogleModels(egress, clock)
    return Provider(name, models, access, "gemini-3.8-flash", "gemini-embedding-001", peer, secrets)
