"""`pulse runs`: what an application's engine has run, and what can be done about it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pulse.cli.output import counted, print_json, print_table, print_text, run, say
from pulse.cli.runs import view
from pulse.cli.runs.application import App, Application, Tenant, application, as_json
from pulse.cli.runs.choosing import Yes, confirmed, how_many
from pulse.cli.session import Data, Json, Since, ms_ago
from pulse.core.errors import InvalidInput, NotFound
from pulse.engine.records import FINISHED_RUN, RunStatus
from pulse.engine.store.control import RunFilter

app = typer.Typer(no_args_is_help=True, help="Runs of an application's engine (code workflows).")
Status = Annotated[RunStatus | None, typer.Option("--status", help="Only runs in this status.")]
Workflow = Annotated[str | None, typer.Option("--workflow", help="Only runs of the workflow of this name.")]
Type = Annotated[str | None, typer.Option("--type", help="Only runs that a signal of this type has started.")]
RunId = Annotated[str | None, typer.Argument(help="The run's id. Without it: --status, --workflow and so on.")]


@app.command("list")
def list_(
    tenant: Tenant = None,
    status: Status = None,
    workflow: Workflow = None,
    type_: Type = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    app: App = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Lists runs, newest first."""

    async def work() -> None:
        where = _filter(tenant, status, workflow, type_, since)
        async with application(app, data) as opened:
            found = await opened.engine.list_runs(where, limit=limit + 1)
            shown = found[:limit]
            if json_:
                return print_json({"data": [as_json(each) for each in shown], "more": len(found) > limit})
            print_table(
                view.COLUMNS, map(view.line, shown), "No runs yet." if where == RunFilter() else "No such runs."
            )
        if len(found) > limit:
            say("There are more; --limit shows them.")

    run(work)


@app.command()
def show(run_id: str, tenant: Tenant = None, app: App = None, data: Data = None, json_: Json = False) -> None:
    """Shows one run: its steps, everything that happened to it with its log, its error, and what to do next."""

    async def work() -> None:
        async with application(app, data) as opened:
            whole = await _whole(opened, run_id, tenant)
            if json_:
                print_json(whole.json)
            else:
                view.show(whole, opened)

    run(work)


@app.command()
def cancel(
    run_id: RunId = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Kept with the run.")] = None,
    tenant: Tenant = None,
    status: Status = None,
    workflow: Workflow = None,
    type_: Type = None,
    since: Since = None,
    yes: Yes = False,
    app: App = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Cancels a run that has not ended and the runs that it waits for; or all that fit the filters, after asking."""

    async def work() -> None:
        where = _chosen(run_id, _filter(tenant, status, workflow, type_, since))
        if where is not None and where.status in FINISHED_RUN:
            raise InvalidInput(f"Runs that are {where.status} have ended: there is nothing to cancel.")
        async with application(app, data) as opened:
            if where is not None:
                count = await how_many(opened.engine, where, ("pending", "running", "waiting"))
                canceled = await opened.engine.cancel_runs(where, reason) if confirmed("Cancel", count, yes=yes) else 0
                return _tell({"canceled": canceled}, f"{counted(canceled, 'run')} canceled.", json_=json_)
            done = await opened.engine.cancel_run(str(run_id), reason, tenant_id=tenant)
        _tell(as_json(done), f"{done.id} canceled", json_=json_)

    run(work)


@app.command()
def retry(
    run_id: RunId = None,
    from_step: Annotated[
        str | None, typer.Option("--from-step", help="Go on at this step, not at the one that failed.")
    ] = None,
    tenant: Tenant = None,
    workflow: Workflow = None,
    type_: Type = None,
    since: Since = None,
    yes: Yes = False,
    app: App = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Lets a failed run go on at the step that failed; or all failed runs that fit the filters, after asking."""

    async def work() -> None:
        where = _chosen(run_id, _filter(tenant, None, workflow, type_, since))
        if where is not None and from_step is not None:
            raise InvalidInput("--from-step is for one run: give its id.")
        async with application(app, data) as opened:
            if where is not None:
                count = await how_many(opened.engine, where, ("failed",))
                retried = await opened.engine.retry_runs(where) if confirmed("Retry", count, yes=yes) else 0
                return _tell({"retried": retried}, f"{counted(retried, 'run')} {view.GOES_ON}", json_=json_)
            done = await opened.engine.retry_run(str(run_id), from_step=from_step, tenant_id=tenant)
        _tell(as_json(done), f"{done.id} {view.GOES_ON}", json_=json_)

    run(work)


@app.command("replay")
def replay_(
    trigger: Annotated[str, typer.Argument(help="Id of the signal (trg_…); `pulse runs show` says it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Call no action: only conditions and waits.")] = False,
    original: Annotated[
        bool, typer.Option("--original", help="The versions that it ran first, not the workflows as they are now.")
    ] = False,
    tenant: Tenant = None,
    app: App = None,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Runs a stored signal again, as new runs. Actions that are not replay-safe are skipped in them."""

    async def work() -> None:
        async with application(app, data) as opened:
            definition = "original" if original else "current"
            try:
                runs = await opened.engine.replay(trigger, dry_run, definition=definition, tenant_id=tenant)
            except NotFound as error:
                raise await _perhaps_a_run(opened, trigger, error) from None
        if json_:
            return print_json([as_json(each) for each in runs])
        if not runs:
            return print_text("It started nothing: no enabled workflow matches this signal.")
        for each in runs:
            print_text(f"{each.id}  {view.workflow_name(each)}")

    run(work)


async def _perhaps_a_run(opened: Application, given: str, error: NotFound) -> NotFound:
    """The error; for the id of a run, with that of its signal."""
    found = await opened.engine.get_run(given)
    if found is None:
        return error
    words = f"{given} is a run; what is replayed is its signal: {found.trigger_id}."
    return NotFound(f"{words} To let the run itself go on, use: {opened.command('runs', 'retry', given)}")


async def _whole(opened: Application, run_id: str, tenant: str | None) -> view.Whole:
    engine = opened.engine
    found = await engine.get_run(run_id, tenant_id=tenant)
    if found is None:
        raise NotFound(f"There is no run {run_id!r}{'' if tenant is None else f' of the tenant {tenant!r}'}.")
    return view.Whole(
        found,
        await engine.get_trigger(found.trigger_id),
        await engine.get_run_steps(run_id),
        await engine.get_run_timeline(run_id),
        await engine.get_run_logs(run_id),
    )


def _filter(
    tenant: str | None, status: RunStatus | None, workflow: str | None, type_: str | None, since: str | None
) -> RunFilter:
    ago = ms_ago(since)
    after = None if ago is None else datetime.fromtimestamp(ago / 1000, UTC)
    return RunFilter(tenant, status, workflow, type_, after)


def _chosen(run_id: str | None, where: RunFilter) -> RunFilter | None:
    """The filter; or None where one run was named. Raises InvalidInput where it is neither, or both."""
    if run_id is not None:
        if replace(where, tenant_id=None) != RunFilter():
            raise InvalidInput("Give the id of one run, or filters, not both.")
        return None
    if where == RunFilter():
        raise InvalidInput("Say which runs: the id of one, or a filter, as --workflow NAME or --since 1h.")
    return where


def _tell(value: Any, sentence: str, *, json_: bool) -> None:
    if json_:
        print_json(value)
    else:
        print_text(sentence)
