"""A backup made while the product works comes back whole, and one that would not is never called whole."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.operations.conftest import Installation, Make, backup_in, new_database

pytestmark = pytest.mark.slow


def content(backup: Path) -> dict[str, object]:
    manifest = json.loads((backup / "manifest.json").read_text())
    return {name: manifest[name] for name in ("rows", "digests", "chains", "migrations")}


def pixels_of(backup: Path) -> list[Path]:
    return sorted(path for path in (backup / "pixels").rglob("*") if path.is_file())


def live_file(source: Installation, backup: Path, path: Path) -> Path:
    return source.data / path.relative_to(backup)


def rewrite_hash(backup: Path, name: str) -> None:
    """What a person does who damages a file and its line in the manifest."""
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256((backup / name).read_bytes()).hexdigest()
    (backup / "manifest.json").write_text(json.dumps(manifest))


def test_a_backup_comes_back_in_an_empty_installation(installation: Make, source: Installation, tmp_path: Path) -> None:
    assert "can be restored" in source.manage("backup", "--to", tmp_path / "backups")
    backup = backup_in(tmp_path / "backups")
    files = pixels_of(backup)
    assert len(files) > 100
    assert all(path.samefile(live_file(source, backup, path)) for path in files)
    assert backup.stat().st_mode & 0o077 == 0

    other = installation(tmp_path / "other")
    assert "All is restored and holds" in other.manage("restore", backup)
    assert ": holds" in other.manage("verify_study")
    assert (other.data / "secret_key").read_text() == (source.data / "secret_key").read_text()
    assert not any(live_file(other, backup, path).samefile(path) for path in files)
    other.manage("backup", "--to", tmp_path / "again")
    assert content(backup_in(tmp_path / "again")) == content(backup)

    done = other.command_line("restore", backup)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: This installation is not empty (5 accounts, 1 studies)")
    assert len(done.stderr.splitlines()) == 1


def test_another_process_may_write_meanwhile(source: Installation, tmp_path: Path) -> None:
    with source.written_to():
        source.manage("backup", "--to", tmp_path / "backups")
    backup = backup_in(tmp_path / "backups")
    count = "SELECT COUNT(*) FROM audit_entry"
    with (
        closing(sqlite3.connect(backup / "database.sqlite3")) as then,
        closing(sqlite3.connect(source.database)) as now,
    ):
        ((entries,), (later,)) = then.execute(count).fetchone(), now.execute(count).fetchone()
    assert content(backup)["rows"]["audit_entry"] == entries < later  # type: ignore[index]
    assert "can be restored" in source.manage("backup", "--check-only", backup)


def test_a_damaged_and_a_lost_pixel_file_are_found(installation: Make, source: Installation, tmp_path: Path) -> None:
    source.manage("backup", "--to", tmp_path / "first")
    good = backup_in(tmp_path / "first")
    damaged, lost = (live_file(source, good, path) for path in pixels_of(good)[:2])
    damaged.unlink()  # the backup's file is a link to it
    damaged.write_bytes(b"\0" * 512)
    lost.unlink()
    sentence = source.refused("backup", "--to", tmp_path / "second")
    assert f"2 pixel files are missing or damaged in {source.data}/pixels" in sentence
    assert not list((tmp_path / "second").glob("*Z"))
    (kept,) = (tmp_path / "second").glob("readerstudy-*-unverified")
    assert len(pixels_of(kept)) == len(pixels_of(good)) - 2

    # Beside an earlier backup its files stand in, and the sentence is the same.
    assert "2 pixel files are missing" in source.refused("backup", "--to", tmp_path / "first")
    (kept,) = (tmp_path / "first").glob("readerstudy-*-unverified")
    assert len(pixels_of(kept)) == len(pixels_of(good))

    first = pixels_of(good)[0]
    first.write_bytes(b"\0" * 512)
    assert f"{first.relative_to(good)} is not what was backed up" in source.refused("backup", "--check-only", good)
    assert "Nothing was restored" in installation(tmp_path / "other").refused("restore", good)


def test_a_truncated_dump_is_found(source: Installation, tmp_path: Path) -> None:
    source.manage("backup", "--to", tmp_path)
    backup = backup_in(tmp_path)
    dump = backup / "database.sqlite3"
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) // 2])
    assert "database.sqlite3 is not what was backed up" in source.refused("backup", "--check-only", backup)
    rewrite_hash(backup, "database.sqlite3")
    assert "database.sqlite3 is no whole database" in source.refused("backup", "--check-only", backup)
    (backup / "manifest.json").write_text("{")
    assert "manifest.json can't be read" in source.refused("backup", "--check-only", backup)


def test_a_row_changed_in_the_dump_is_found(source: Installation, tmp_path: Path) -> None:
    source.manage("backup", "--to", tmp_path)
    backup = backup_in(tmp_path)
    with closing(sqlite3.connect(backup / "database.sqlite3")) as dump:
        dump.execute("UPDATE studies_study SET title = 'Another'")
        dump.execute("DELETE FROM django_session WHERE session_key = '_x'")
        dump.commit()
    rewrite_hash(backup, "database.sqlite3")
    sentence = source.refused("backup", "--check-only", backup)
    assert "Table django_session has 5 rows instead of 6." in sentence
    assert "The rows of table studies_study are not the same." in sentence


def test_a_broken_chain_is_found(source: Installation, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source.database)) as database:
        database.execute("DROP TRIGGER audit_append_only_update")
        database.execute("UPDATE audit_entry SET actor = 'nobody' WHERE sequence = 1")
        database.commit()
    sentence = source.refused("backup", "--to", tmp_path)
    assert "Audit chain installation: Entry 1 " in sentence
    assert "Audit chain: Entry 1 (study.create) was changed after it was written." in sentence
    assert not list(tmp_path.glob("*Z"))


def test_a_backup_of_an_older_version_is_brought_up_to_date(
    installation: Make, source: Installation, tmp_path: Path
) -> None:
    """Its migrations of data name no database: they must not touch the one of the installation that checks."""
    source.manage("backup", "--to", tmp_path)
    backup = backup_in(tmp_path)
    old = installation(tmp_path / "old")
    old.data.mkdir()
    shutil.copy(backup / "database.sqlite3", old.database)
    old.manage("migrate", "analytics", "0001", "--verbosity", "0")
    assert "not that of this version" in old.refused("backup", "--to", tmp_path / "none")
    facts = old.shell(
        "import json\n"
        "from django.db import connection\n"
        "from readerstudy.operations import sqlite, tables\n"
        "from pathlib import Path\n"
        f"Path({str(backup / 'database.sqlite3')!r}).unlink()\n"
        f"with sqlite.frozen('x') as live: sqlite.write(live, Path({str(backup / 'database.sqlite3')!r}))\n"
        "print(json.dumps({'rows': tables.counts(connection), 'migrations': tables.heads(connection)}))\n"
    )
    manifest = json.loads((backup / "manifest.json").read_text()) | json.loads(facts)
    assert manifest["migrations"]["analytics"] == "0001_initial"
    (backup / "manifest.json").write_text(json.dumps(manifest))
    rewrite_hash(backup, "database.sqlite3")
    assert "can be restored" in source.manage("backup", "--check-only", backup)
    other = installation(tmp_path / "other")
    assert "All is restored and holds" in other.manage("restore", backup)
    other.manage("migrate", "--check")

    manifest["migrations"]["analytics"] = "9999_later"
    (backup / "manifest.json").write_text(json.dumps(manifest))
    assert "of a later version" in installation(tmp_path / "third").refused("restore", backup)


def test_on_another_disk_only_the_first_backup_copies(source: Installation) -> None:
    disk = Path("/dev/shm/readerstudy-test-backups")
    if not disk.parent.is_dir() or disk.parent.stat().st_dev == source.data.stat().st_dev:
        pytest.skip("there is no second file system")
    shutil.rmtree(disk, ignore_errors=True)
    try:
        source.manage("backup", "--to", disk)
        first = backup_in(disk)
        assert {path.stat().st_nlink for path in pixels_of(first)} == {1}
        source.manage("backup", "--to", disk)
        assert {path.stat().st_nlink for path in pixels_of(first)} == {2}
    finally:
        shutil.rmtree(disk)


def test_a_place_that_can_not_be_written_is_told(source: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "can't be written" in source.refused("backup", "--to", tmp_path / "file" / "backups")


@pytest.mark.postgresql
def test_the_same_on_postgresql(installation: Make, server: str, empty_database: str, tmp_path: Path) -> None:
    source = installation(tmp_path / "source", empty_database).fill()
    with source.written_to():
        source.manage("backup", "--to", tmp_path / "backups")
    backup = backup_in(tmp_path / "backups")
    assert "can be restored" in source.manage("backup", "--check-only", backup)

    with new_database(server) as url:
        other = installation(tmp_path / "other", url)
        other.manage("prepare")
        assert "All is restored and holds" in other.manage("restore", backup)
        other.manage("backup", "--to", tmp_path / "again")
        assert content(backup_in(tmp_path / "again")) == content(backup)
        assert "is not empty" in other.refused("restore", backup)
    assert "This is a backup of postgresql" in installation(tmp_path / "third").refused("restore", backup)

    dump = backup / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-2000])
    assert "database.dump is not what was backed up" in source.refused("backup", "--check-only", backup)
    rewrite_hash(backup, "database.dump")
    assert "pg_restore ended with an error" in source.refused("backup", "--check-only", backup)
    source.shell(f"import os; os.environ['PATH'] = {str(tmp_path)!r}")
    assert "pg_dump is not on the PATH" in source.refused("backup", "--to", tmp_path / "none")
    assert list((tmp_path / "none").iterdir()) == []


@pytest.mark.postgresql
def test_a_role_that_may_not_create_databases_is_told(installation: Make, server: str, tmp_path: Path) -> None:
    import psycopg

    role = "operations_plain"
    with psycopg.connect(server.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {role} LOGIN")
        try:
            with new_database(server, owner=role) as url:
                source = installation(tmp_path / "source", url)
                source.manage("prepare")
                sentence = source.refused("backup", "--to", tmp_path / "backups")
        finally:
            connection.execute(f"DROP ROLE {role}")
    assert f"The role {role} may not create the database in which a restore is tried" in sentence
    assert list((tmp_path / "backups").glob("readerstudy-*-unverified"))
