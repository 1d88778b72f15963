"""``manage.py restore FOLDER``: put a backup into an empty installation."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from readerstudy.operations.command import OperationCommand
from readerstudy.operations.restore import restore


class Command(OperationCommand):
    help = "Put a backup into an empty installation, after its files were hashed, and check everything there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the backup, readerstudy-…Z")

    def work(self, **options: Any) -> None:
        restore(options["folder"], self.say)
        self.say("All is restored and holds: start it with `manage.py up`.")
