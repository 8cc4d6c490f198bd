"""How records stand in the database: tables, values, rows of records."""
