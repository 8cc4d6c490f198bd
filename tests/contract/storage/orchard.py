"""Two nouns with revisions of their own, made in a folder of the test."""

from pathlib import Path

from pulse.storage.branches import Branch

REVISION = """
import os
import sqlalchemy as sa
from alembic import op
from pulse.storage.migrations import table_prefix

revision = "{name}"
down_revision = {down}
branch_labels = {labels}
depends_on = {depends}


def upgrade():
    op.create_table(f"{{table_prefix()}}{table}", sa.Column("id", sa.String(), primary_key=True))
    op.create_index(f"{{table_prefix()}}{table}_by", f"{{table_prefix()}}{table}", ["id"])
    {then}
"""


class Orchard:
    """Apples and pears, and whatever is planted later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apples = Branch("apples", folder / "apples")
        self.pears = Branch("pears", folder / "pears")
        self.plant("apples", 1)
        self.plant("apples", 2)
        self.plant("pears", 1)

    @property
    def both(self) -> list[Branch]:
        return [self.apples, self.pears]

    def plant(self, noun: str, number: int, *, then: str = "pass", depends: str | None = None) -> None:
        """The revision of that number, which makes one table and does `then`."""
        folder = self.folder / noun
        folder.mkdir(exist_ok=True)
        text = REVISION.format(
            name=f"{noun}_{number:04d}",
            down=repr(f"{noun}_{number - 1:04d}" if number > 1 else None),
            labels=repr((noun,) if number == 1 else None),
            depends=repr(depends),
            table=f"{noun}{number}",
            then=then,
        )
        (folder / f"{noun}_{number:04d}.py").write_text(text)
