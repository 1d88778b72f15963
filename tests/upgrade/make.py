"""An installation as a release leaves it, packed: ``python -m tests.upgrade.make 0.1.0``.

Run once at each release, never again for the same one: later schemas are tested on what it packed then.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(release: str) -> None:
    packed = HERE / f"{release}.tar.xz"
    if packed.exists():
        raise SystemExit(f"{packed.name} exists: what a release left is never made again.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"READERSTUDY_DATA": name, "DJANGO_SETTINGS_MODULE": "readerstudy.settings"}
        _fill()
        with sqlite3.connect(folder / "readerstudy.sqlite3") as database:
            database.execute("VACUUM INTO ?", [str(folder / "packed.sqlite3")])
        with tarfile.open(packed, "w:xz") as archive:
            archive.add(folder / "packed.sqlite3", "readerstudy.sqlite3")
            archive.add(folder / "pixels", "pixels")
    print(f"{packed.name}: {packed.stat().st_size / 1024:.0f} KiB")


def _fill() -> None:
    """One study of every state that holds data: read and unblinded, locked, being read, a draft."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from readerstudy.conduct.actions import close_study, lock_study, unblind_study
    from readerstudy.reading.actions import start_session
    from tests.factories import answer, make_draft, make_open, read_all

    unblinded, locked, opened = make_open(), make_open(), make_open()
    make_draft()
    for world in (unblinded, locked):
        read_all(world)
        lock_study(close_study(world.study, world.coordinator), world.coordinator)
    unblinded.study.refresh_from_db()
    unblind_study(unblinded.study, unblinded.second)
    reader, session = opened.readers[0], opened.sessions()[0]
    start_session(reader, session)
    for value, row in enumerate(opened.presentations()[:3], start=1):
        answer(reader, row, value)


if __name__ == "__main__":
    main(sys.argv[1])
