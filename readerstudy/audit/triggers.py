"""Rows that the database itself refuses to change, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any


def guard(editor: Any, table: str, name: str, sentence: str, *, operations: tuple[str, ...], when: str = "1=1") -> None:
    """Install a trigger that raises ``sentence`` before an operation where ``when`` holds.

    ``when`` is SQL over the row, written with ``ROW.column``: OLD for UPDATE and DELETE, NEW for INSERT.
    """
    for operation in operations:
        condition = when.replace("ROW.", "NEW." if operation == "INSERT" else "OLD.")
        for statement in _create(editor.connection.vendor, table, name, sentence, operation, condition):
            editor.execute(statement)


def drop(editor: Any, table: str, name: str, *, operations: tuple[str, ...]) -> None:
    """Remove what ``guard`` installed; migrations backwards and the tests' clean-up only."""
    for operation in operations:
        trigger = f"{name}_{operation.lower()}"
        if editor.connection.vendor == "sqlite":
            editor.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        else:
            editor.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {table}")


def _create(vendor: str, table: str, name: str, sentence: str, operation: str, condition: str) -> list[str]:
    trigger = f"{name}_{operation.lower()}"
    text = sentence.replace("'", "''")
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {trigger} BEFORE {operation} ON {table} FOR EACH ROW WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{text}'); END"
        ]
    returned = "OLD" if operation == "DELETE" else "NEW"
    body = f"BEGIN IF {condition} THEN RAISE EXCEPTION '{text}'; END IF; RETURN {returned}; END;"
    return [
        f"CREATE OR REPLACE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS $guard${body}$guard$",
        f"CREATE TRIGGER {trigger} BEFORE {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION {trigger}()",
    ]
