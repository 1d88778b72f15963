"""A SQLite installation moves to PostgreSQL with every row and file, or not at all."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.operations.conftest import Installation, Make

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

FACTS = """
from readerstudy.operations import tables
from django.db import connection
import json
own = {m._meta.db_table for m in tables.models()}
print(json.dumps([tables.digests('default'), {k: v for k, v in tables.counts(connection).items() if k in own}]))
"""


def rows_in(url: str) -> int:
    """The number of accounts and entries in a target; 0 as well where it has no tables."""
    import psycopg

    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('audit_entry')").fetchone() == (None,):
            return 0
        found = connection.execute("SELECT (SELECT COUNT(*) FROM audit_entry) + (SELECT COUNT(*) FROM accounts_user)")
        return int(found.fetchone()[0])  # type: ignore[index]


@pytest.fixture
def target(empty_database: str) -> Iterator[str]:
    yield empty_database


def test_everything_moves(installation: Make, source: Installation, target: str, tmp_path: Path) -> None:
    before = source.database.read_bytes()
    told = source.manage("move_data", "--to", target, "--pixels-to", tmp_path / "pixels")
    assert f"READERSTUDY_PIXELS={tmp_path}/pixels" in told
    assert target not in told
    assert source.database.read_bytes() == before

    moved = installation(source.data, target, READERSTUDY_PIXELS=str(tmp_path / "pixels"))
    (source.data / "pixels").rename(tmp_path / "away")
    assert ": holds" in moved.manage("verify_study")
    assert moved.shell(FACTS) == source.shell(FACTS)
    files = [path.relative_to(tmp_path / "away") for path in (tmp_path / "away").rglob("*") if path.is_file()]
    assert len(files) > 100
    assert all((tmp_path / "pixels" / path).read_bytes() == (tmp_path / "away" / path).read_bytes() for path in files)

    # New rows get new numbers, the number of the account that was deleted is not given again, and the guards are on.
    new = "from tests.factories import make_user; print(make_user('new').pk)"
    assert int(moved.shell(new)) == int(source.shell(new)) == 7
    for table in ("audit_entry", "reading_answer", "schedules_presentation", "reading_score"):
        program = (
            "from django.db import connection, DatabaseError\n"
            f"try: connection.cursor().execute('DELETE FROM {table}')\n"
            "except DatabaseError as error: print(error)"
        )
        assert "never changed" in moved.shell(program) or "immutable" in moved.shell(program) or (
            "append-only" in moved.shell(program)
        )  # fmt: skip

    assert "The database of --to is not empty" in source.refused("move_data", "--to", target)
    assert "on PostgreSQL already" in moved.refused("move_data", "--to", target)


def test_a_target_of_something_else_is_refused(source: Installation, target: str) -> None:
    import psycopg

    with psycopg.connect(target) as connection:
        connection.execute("CREATE TABLE invoices (id int)")
    assert "it holds tables of something else, such as invoices" in source.refused("move_data", "--to", target)
    assert rows_in(target) == 0
    assert "can't be reached" in source.refused("move_data", "--to", f"{target}_absent")
    assert "must look like postgresql://" in source.refused("move_data", "--to", "mysql://somewhere/else")


def test_nothing_moves_while_something_works(source: Installation, target: str) -> None:
    with source.written_to():
        assert "Something wrote to the database meanwhile" in source.refused("move_data", "--to", target)
    with (source.data / "up.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another `manage.py up`" in source.refused("move_data", "--to", target)
    now, lease = "strftime('%Y-%m-%d %H:%M:%f', 'now')", "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 hour')"
    with closing(sqlite3.connect(source.database)) as database:
        database.execute(f"UPDATE jobs_job SET state = 'running', lease_expires_at = {lease} WHERE key = 'odd'")
        database.commit()
        assert "1 jobs are running: stop the server" in source.refused("move_data", "--to", target)
        database.execute(
            "INSERT INTO jobs_worker (id, host, pid, queue, started_at, seen_at) "
            f"VALUES ('{'0' * 32}', 'here', 7, 'cpu', {now}, {now})"
        )
        database.commit()
        assert "A worker (here:7) is running" in source.refused("move_data", "--to", target)
    assert rows_in(target) == 0


def test_nothing_moves_with_a_fault(source: Installation, target: str) -> None:
    picture = next(path for path in (source.data / "pixels").rglob("*") if path.is_file())
    content = picture.read_bytes()
    picture.write_bytes(content[:-1])
    assert "1 pixel files are missing or damaged" in source.refused("move_data", "--to", target)
    picture.write_bytes(content)
    with closing(sqlite3.connect(source.database)) as database:
        name, guard = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE name = 'reading_score_signed_update'"
        ).fetchone()
        database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE reading_score SET value = 6 - value WHERE id = 1")
        database.commit()
        sentence = source.refused("move_data", "--to", target)
        assert "The guard reading_score_signed_update is on one side only." in sentence
        database.execute(guard)
        database.commit()
        assert "is not what the audit chain says" in source.refused("move_data", "--to", target)
        database.execute("UPDATE accounts_user SET first_name = 'a' || char(0) WHERE id = 1")
        database.commit()
        assert "Table accounts_user can't be copied" in source.refused("move_data", "--to", target)
        assert rows_in(target) == 0
        # Once all is right again the same target will do: it has tables and no rows.
        database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE reading_score SET value = 6 - value WHERE id = 1")
        database.execute(guard)
        database.execute("UPDATE accounts_user SET first_name = '' WHERE id = 1")
        database.commit()
    assert "--pixels-to names a folder" in source.refused("move_data", "--to", target, "--pixels-to", "s3://a/b")
    source.manage("move_data", "--to", target)
    assert rows_in(target) > 0
