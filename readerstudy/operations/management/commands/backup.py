"""``manage.py backup --to FOLDER``: a backup whose restore was tried; ``--check-only`` tries that of an older one."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from readerstudy.operations import backup, manifest, pixels
from readerstudy.operations.command import OperationCommand


class Command(OperationCommand):
    help = "Back up database, pixels and signing key while the product runs, and try the restore."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--to", type=Path, metavar="FOLDER", help="make a backup, a new folder in this one")
        what.add_argument("--check-only", type=Path, metavar="FOLDER", help="check this backup, make none")

    def work(self, **options: Any) -> None:
        folder: Path | None = options["check_only"]
        if folder is not None:
            backup.check(folder, self.say)
        else:
            folder = backup.make(options["to"], self.say)
        self.say(f"{folder} is whole and can be restored (manifest {pixels.sha256(folder / manifest.NAME)[:16]}).")
