"""`pulse` as it must not be, for the negative control: scripts are given answers that nobody has recorded."""

from pulse.cli.main import main
from pulse.messages.journal import Journal, Note

record = Journal.record


async def forget(self: Journal, note: Note) -> None:
    if not note.entry.is_answered:
        await record(self, note)


if __name__ == "__main__":
    Journal.record = forget  # type: ignore[method-assign]
    main()
