"""``manage.py import_cases PATH --source NAME``: a folder or a zip of DICOM becomes cases."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError

from inference.data.dicom_types import FileReport, Progress
from readerstudy.cases.actions import KEEP, CaseError, import_cases
from readerstudy.cases.models import Import, ImportedFile
from readerstudy.cases.sources import source_named

BAR = 28


class Command(BaseCommand):
    help = "Import a folder or a zip of DICOM files as held-out cases under pseudonyms."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a folder (searched through) or a zip")
        parser.add_argument("--source", required=True, metavar="NAME", help="where the cases come from")
        parser.add_argument(
            "--max-matrix",
            type=int,
            default=512,
            metavar="N",
            help="reduce larger images by area mean (default 512)",
        )
        parser.add_argument(
            "--no-quarantine",
            default="",
            metavar="REASON",
            help="why nobody has to look for burned-in text or faces",
        )
        parser.add_argument(
            "--keep",
            nargs="*",
            choices=sorted(KEEP),
            default=sorted(KEEP),
            metavar="FACTS",
            help="facts to store of patient (age band, sex), device, acquisition (default: all three; none: --keep)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        screen = Screen(self.stderr)
        reason: str = options["no_quarantine"]
        try:
            source = source_named(options["source"], None)
            batch = import_cases(
                options["path"], source=source, by=None, max_matrix=options["max_matrix"],
                quarantine=not reason, reason=reason, keep=frozenset(options["keep"]), progress=screen,
            )  # fmt: skip
        except CaseError as error:
            raise CommandError(str(error)) from error
        screen.clear()
        self.stdout.write(closing_table(batch, screen.paths))


class Screen:
    """A progress bar on a terminal; remembers paths for the closing table, since the database keeps none."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.live = bool(getattr(stream, "isatty", lambda: False)())
        self.paths: dict[int, str] = {}

    def __call__(self, event: FileReport | Progress) -> None:
        if isinstance(event, FileReport):
            self.paths[event.index + 1] = event.path
        elif self.live:
            share = event.done / event.total if event.total else 0.0
            bar = "#" * round(BAR * share) + "." * (BAR - round(BAR * share))
            self._write(f"\r{event.stage:<8} [{bar}] {event.done} / {event.total}")

    def clear(self) -> None:
        if self.live:
            self._write("\r" + " " * 70 + "\r")

    def _write(self, text: str) -> None:
        stream: IO[str] = getattr(self.stream, "_out", self.stream)
        stream.write(text)
        stream.flush()


def closing_table(batch: Import, paths: dict[int, str]) -> str:
    """What became of the import: one line per case, one sentence per refused file, and the sums."""
    lines = ["", "Case       Slices  State        Files"]
    files: Counter[Any] = Counter(batch.files.exclude(case=None).values_list("case", flat=True))
    for row in batch.files.exclude(case=None).select_related("case").order_by("case__pseudonym"):
        if row.case and files.get(row.case_id):
            state, slices = row.case.state, row.case.slices.count()
            lines.append(f"{row.case.pseudonym:<10} {slices:>6}  {state:<12} {files.pop(row.case_id):>5}  {row.reason}")
    refused = batch.files.filter(status=ImportedFile.Status.REFUSED)
    if refused:
        lines += ["", "Refused"]
        lines += [f"{row.number:>5}  {paths.get(row.number, '')}: {row.reason}" for row in refused]
    lines += ["", f"{batch.accepted} accepted, {batch.refused} refused, {batch.quarantined} quarantined.", ""]
    return "\n".join(lines)
