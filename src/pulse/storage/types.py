"""Column types that are not the same on both databases."""

from typing import Any

from sqlalchemy import DateTime, Text, cast
from sqlalchemy.types import TypeEngine, UserDefinedType


class _Jsonb(UserDefinedType[str]):
    """PostgreSQL's JSONB, given and taken as text: who reads it decides when to parse."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "JSONB"

    def column_expression(self, column: Any) -> Any:
        # The driver would parse it.
        return cast(column, Text)


# JSON as text in Python; JSONB on PostgreSQL.
JSON_TEXT: TypeEngine[str] = _Jsonb().with_variant(Text(), "sqlite")
# A time: an aware datetime on PostgreSQL, text as `isoformat` writes it on SQLite. `moment_of` reads both.
MOMENT: TypeEngine[Any] = DateTime(timezone=True).with_variant(Text(), "sqlite")
# The order of ids is the order of their bytes, whatever the database's collation.
SORTED_ID: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
