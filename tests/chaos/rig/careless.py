"""`pulse` as it must not be, for negative controls: SQLite does not wait for the disk, and never empties its log."""

from pulse.cli.main import main
from pulse.storage import sqlite

CAREFUL = "PRAGMA synchronous=FULL"

if __name__ == "__main__":
    assert CAREFUL in sqlite._WRITER_PRAGMAS
    careless = tuple("PRAGMA synchronous=OFF" if pragma == CAREFUL else pragma for pragma in sqlite._WRITER_PRAGMAS)
    # Everything stays in the log, so that a test that takes it away knows what is lost.
    sqlite._WRITER_PRAGMAS = (*careless, "PRAGMA wal_autocheckpoint=0")  # type: ignore[assignment]
    main()
