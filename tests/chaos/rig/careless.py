"""`pulse` as it must not be, for negative controls: SQLite is not told to wait for the disk."""

from pulse.cli.main import app
from pulse.storage import sqlite

CAREFUL = "PRAGMA synchronous=FULL"

if __name__ == "__main__":
    assert CAREFUL in sqlite._WRITER_PRAGMAS
    careless = tuple("PRAGMA synchronous=OFF" if pragma == CAREFUL else pragma for pragma in sqlite._WRITER_PRAGMAS)
    sqlite._WRITER_PRAGMAS = careless  # type: ignore[assignment]
    app()
