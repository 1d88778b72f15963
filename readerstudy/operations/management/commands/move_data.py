"""``manage.py move_data --to DATABASE_URL``: move a default installation to PostgreSQL."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from readerstudy.operations.command import OperationCommand
from readerstudy.operations.move import move


class Command(OperationCommand):
    help = "Copy a stopped SQLite installation into an empty PostgreSQL database, and compare both."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, metavar="DATABASE_URL", help="postgresql://user:password@host/name")
        parser.add_argument("--pixels-to", metavar="FOLDER", help="copy the pixel files there, too")

    def work(self, **options: Any) -> None:
        if "://" in (options["pixels_to"] or ""):
            raise CommandError("--pixels-to names a folder: copy pixels into a bucket with the bucket's own tools.")
        folder = Path(options["pixels_to"]).resolve() if options["pixels_to"] else None
        move(options["to"], folder, self.say)
        self.say("All was moved and holds. From now on set, wherever a part of the product runs:")
        self.say("  DATABASE_URL to what you gave as --to")
        if folder is not None:
            self.say(f"  READERSTUDY_PIXELS={folder}")
        self.say("and leave READERSTUDY_DATA and the signing key as they are. The old database was not changed.")
