"""`pulse runs`: what an application's engine has run, and what can be done about it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from pulse.cli.options import Since, ms_ago, opened, taking
from pulse.cli.output import Answer, counted, print_table, run, say
from pulse.cli.runs import view
from pulse.cli.runs.application import Application, ApplicationOptions, Tenant, as_json
from pulse.cli.runs.choosing import Yes, confirmed, how_many
from pulse.core.errors import InvalidInput, NotFound
from pulse.engine.records import FINISHED_RUN, RunStatus, WorkflowRun
from pulse.engine.store.control import RunFilter

app = typer.Typer(no_args_is_help=True, help="Runs of an application's engine (code workflows).")
Status = Annotated[RunStatus | None, typer.Option("--status", help="Only runs in this status.")]
Workflow = Annotated[str | None, typer.Option("--workflow", help="Only runs of the workflow of this name.")]
Type = Annotated[str | None, typer.Option("--type", help="Only runs that a signal of this type has started.")]
RunId = Annotated[str | None, typer.Argument(help="The run's id. Without it: --status, --workflow and so on.")]


@app.command("list")
@taking(ApplicationOptions)
def list_(
    options: ApplicationOptions,
    tenant: Tenant = None,
    status: Status = None,
    workflow: Workflow = None,
    type_: Type = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """Lists runs, newest first."""

    async def work() -> Answer:
        where = _filter(tenant, status, workflow, type_, since)
        async with options.open() as at:
            found = await at.engine.list_runs(where, limit=limit + 1)
        shown, more = found[:limit], len(found) > limit
        empty = "No runs yet." if where == RunFilter() else "No such runs."
        told = partial(_print, shown, empty, more=more)
        return Answer({"data": [as_json(each) for each in shown], "more": more}, told)

    run(work, as_json=options.json)


@app.command()
@opened(ApplicationOptions)
async def show(at: Application, run_id: str, tenant: Tenant = None) -> Answer:
    """Shows one run: its steps, everything that happened to it with its log, its error, and what to do next."""
    whole = await _whole(at, run_id, tenant)
    return Answer(whole.json, partial(view.show, whole, at))


@app.command()
@taking(ApplicationOptions)
def cancel(
    options: ApplicationOptions,
    run_id: RunId = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Kept with the run.")] = None,
    tenant: Tenant = None,
    status: Status = None,
    workflow: Workflow = None,
    type_: Type = None,
    since: Since = None,
    yes: Yes = False,
) -> None:
    """Cancels a run that has not ended and the runs that it waits for; or all that fit the filters, after asking."""

    async def work() -> Answer:
        where = _chosen(run_id, _filter(tenant, status, workflow, type_, since))
        if where is not None and where.status in FINISHED_RUN:
            raise InvalidInput(f"Runs that are {where.status} have ended: there is nothing to cancel.")
        async with options.open() as at:
            if where is not None:
                count = await how_many(at.engine, where, ("pending", "running", "waiting"))
                canceled = await at.engine.cancel_runs(where, reason) if confirmed("Cancel", count, yes=yes) else 0
                return Answer({"canceled": canceled}, f"{counted(canceled, 'run')} canceled.")
            done = await at.engine.cancel_run(str(run_id), reason, tenant_id=tenant)
        return Answer(as_json(done), f"{done.id} canceled")

    run(work, as_json=options.json)


@app.command()
@taking(ApplicationOptions)
def retry(
    options: ApplicationOptions,
    run_id: RunId = None,
    from_step: Annotated[
        str | None, typer.Option("--from-step", help="Go on at this step, not at the one that failed.")
    ] = None,
    tenant: Tenant = None,
    workflow: Workflow = None,
    type_: Type = None,
    since: Since = None,
    yes: Yes = False,
) -> None:
    """Lets a failed run go on at the step that failed; or all failed runs that fit the filters, after asking."""

    async def work() -> Answer:
        where = _chosen(run_id, _filter(tenant, None, workflow, type_, since))
        if where is not None and from_step is not None:
            raise InvalidInput("--from-step is for one run: give its id.")
        async with options.open() as at:
            if where is not None:
                count = await how_many(at.engine, where, ("failed",))
                retried = await at.engine.retry_runs(where) if confirmed("Retry", count, yes=yes) else 0
                return Answer({"retried": retried}, f"{counted(retried, 'run')} {view.GOES_ON}")
            done = await at.engine.retry_run(str(run_id), from_step=from_step, tenant_id=tenant)
        return Answer(as_json(done), f"{done.id} {view.GOES_ON}")

    run(work, as_json=options.json)


@app.command("replay")
@opened(ApplicationOptions)
async def replay_(
    at: Application,
    trigger: Annotated[str, typer.Argument(help="Id of the signal (trg_…); `pulse runs show` says it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Call no action: only conditions and waits.")] = False,
    original: Annotated[
        bool, typer.Option("--original", help="The versions that it ran first, not the workflows as they are now.")
    ] = False,
    tenant: Tenant = None,
) -> Answer:
    """Runs a stored signal again, as new runs. Actions that are not replay-safe are skipped in them."""
    definition = "original" if original else "current"
    try:
        runs = await at.engine.replay(trigger, dry_run, definition=definition, tenant_id=tenant)
    except NotFound as error:
        raise await _perhaps_a_run(at, trigger, error) from None
    lines = [f"{each.id}  {view.workflow_name(each)}" for each in runs]
    nothing = "It started nothing: no enabled workflow matches this signal."
    return Answer([as_json(each) for each in runs], "\n".join(lines) or nothing)


async def _perhaps_a_run(at: Application, given: str, error: NotFound) -> NotFound:
    """The error; for the id of a run, with that of its signal."""
    found = await at.engine.get_run(given)
    if found is None:
        return error
    words = f"{given} is a run; what is replayed is its signal: {found.trigger_id}."
    return NotFound(f"{words} To let the run itself go on, use: {at.command('runs', 'retry', given)}")


async def _whole(at: Application, run_id: str, tenant: str | None) -> view.Whole:
    engine = at.engine
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


def _print(runs: Sequence[WorkflowRun], empty: str, *, more: bool) -> None:
    print_table(view.COLUMNS, map(view.line, runs), empty)
    if more:
        say("There are more; --limit shows them.")
