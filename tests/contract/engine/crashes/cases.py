"""One case: a play, an engine that meets its fate in the middle of it, and others that play it to its end."""

from dataclasses import dataclass, field

from pulse.testing.faults import When
from tests.contract.engine.crashes.checker import changes, recorded_steps, violations
from tests.contract.engine.crashes.fates import Crash, Freeze
from tests.contract.engine.crashes.plays import Play
from tests.contract.engine.crashes.stage import Rows, Stage


@dataclass
class Case:
    """What came of it: `found` are the violations."""

    play: Play
    stage: Stage
    recorded: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    async def crashes(self, when: When, *numbers: int) -> int:
        """One engine after another crashes at its transaction of that number, the last plays on; how many crashed."""
        await self._prepare()
        crashed = 0
        for number in numbers:
            engine = self.stage.engine()
            fate = Crash(engine)
            fate.crash(when, number)
            if not await fate.during(self.play.script(self.stage, engine)):
                await engine.stop()
                break
            crashed += 1
            await self._after_a_crash()
        self.found = violations(self.play, self.stage.ledger, await self._play_on(), self.recorded)
        await self._close()
        return crashed

    async def freezes(self, when: When, number: int) -> bool:
        """Another engine plays on while one stands still, which then changes nothing; whether one stood still."""
        await self._prepare()
        engine = self.stage.engine()
        fate = Freeze(engine)
        fate.crash(when, number)
        frozen = await fate.during(self.play.script(self.stage, engine))
        if frozen:
            before = await self._play_on()
            await fate.thaw()
            after = await self.stage.rows()
            self.found = [*violations(self.play, self.stage.ledger, after), *changes(before, after)]
        await engine.stop()
        await self._close()
        return frozen

    async def _prepare(self) -> None:
        for workflow in self.play.workflows(self.stage):
            await self.stage.hand.create_workflow(workflow)

    async def _after_a_crash(self) -> None:
        rows = await self.stage.rows()
        self.recorded = recorded_steps(rows, self.stage.ledger, self.recorded)
        await self.stage.leases_end()

    async def _play_on(self) -> Rows:
        """A new process comes when the leases of the old one are over; the rows when it is done."""
        await self.stage.leases_end()
        engine = self.stage.engine()
        await self.play.script(self.stage, engine)
        await engine.stop()
        return await self.stage.rows()

    async def _close(self) -> None:
        """Schedules must not fire in the cases that follow."""
        for row in (await self.stage.rows())["definitions"]:
            if row.cron_expression is not None:
                await self.stage.hand.disable_workflow(row.id)
