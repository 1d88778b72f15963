"""``manage.py import_reconstructions FOLDER --method KEY --version V``: DICOM made elsewhere becomes runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from readerstudy.reconstructions.importing import ReturnRefused, import_reconstructions


class Command(BaseCommand):
    help = "Import a folder or a zip of DICOM that an outside method made of exported inputs."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version would collide with the method's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a folder (searched through) or a zip")
        parser.add_argument("--method", required=True, metavar="KEY", help="for example our_unet")
        parser.add_argument("--version", dest="method_version", required=True, metavar="V", help="of the method")
        parser.add_argument("--name", default="", help="how people call the method")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = import_reconstructions(
                options["path"], method=options["method"], version=options["method_version"], name=options["name"],
                by=None,
            )  # fmt: skip
        except ReturnRefused as error:
            raise CommandError(str(error)) from error
        for file in report.files:
            self.stdout.write(f"{'accepted' if file.accepted else 'refused ':<8}  {file.path}: {file.reason}")
        self.stdout.write(f"{report.accepted} accepted, {report.refused} refused, {len(report.runs)} runs.")
