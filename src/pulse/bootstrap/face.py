"""The HTTP face of a process: the receiver's routes, and the console's API below `/api`."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from pulse.bootstrap.wiring import Parts
from pulse.console.app import console_app
from pulse.console.people.home import home_routes
from pulse.console.people.pages import page_routes
from pulse.evaluator.trial import Trials
from pulse.receiver.admission import Admission
from pulse.receiver.app import HANDLERS, Check, routes
from pulse.receiver.metrics import ReceiverMetrics
from pulse.receiver.receiver import Receiver
from pulse.receiver.shortcut import Shortcut


def face(
    parts: Parts,
    url: str,
    registry: CollectorRegistry,
    checks: Mapping[str, Check],
    notes: Mapping[str, Check],
    trials: Trials | None = None,
) -> ASGIApp:
    """The ASGI application on these parts; `url` is where people reach it. Without `trials` nothing is test-run."""
    console = Mount("/api", app=_console(parts, url, trials))
    paths: list[BaseRoute] = [*routes(checks, notes, registry), *page_routes(), *home_routes(), console]
    app = Starlette(routes=paths, exception_handlers=HANDLERS)
    # A redirect of a POST is what most senders do not follow, and nothing tells them so.
    app.router.redirect_slashes = False
    app.state.receiver = _receiver(parts, registry)
    app.state.people, app.state.tenancy, app.state.audit = parts.people, parts.tenancy, parts.audit
    app.state.public_url = parts.settings.own_address or url
    return Shortcut(app)


def _receiver(parts: Parts, registry: CollectorRegistry) -> Receiver:
    return Receiver(
        authenticator=parts.authenticator,
        sources=parts.sources,
        intake=parts.intake,
        waiting=parts.waiting,
        admission=Admission(parts.settings.data if parts.settings.is_embedded else None),
        metrics=ReceiverMetrics(registry),
        ids=parts.ids,
        clock=parts.clock,
        max_message_bytes=parts.settings.max_message_bytes,
    )


def _console(parts: Parts, url: str, trials: Trials | None) -> Starlette:
    return console_app(
        public_url=parts.settings.own_address or url,
        authenticator=parts.authenticator,
        tenancy=parts.tenancy,
        places=parts.places,
        lists=parts.lists,
        audit=parts.audit,
        people=parts.people,
        mailer=parts.outside.mailer,
        oidc=parts.oidc,
        sources=parts.sources,
        variables=parts.variables,
        workflows=parts.workflows,
        versions=parts.versions,
        trials=trials,
        intake=parts.intake,
        ids=parts.ids,
        max_message_bytes=parts.settings.max_message_bytes,
        links=parts.links,
        catalog=parts.catalog,
        changes=parts.changes,
        reader=parts.reader,
        waiting=parts.waiting,
        queue=parts.queue,
        replay=parts.replay,
        journal=parts.journal,
        retention=parts.retention,
        billing=parts.billing,
        plan_changes=parts.plan_changes,
        selling=parts.selling,
        held=parts.held,
        models=parts.models,
        prompts=parts.prompts,
    )
