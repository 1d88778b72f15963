"""``manage.py analyse``: the statistics of any table of scores, without a study or a database."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.csv_tables import read_metrics, read_scores
from readerstudy.statistics.table import TableError


def categories(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a list of whole numbers: write 1,2,3,4,5.") from None
    if sorted(set(found)) != found or len(found) < 2:
        raise ArgumentTypeError(f"'{text}' does not rise: write every category once, as in 1,2,3,4,5.")
    return found


def at_least(low: int) -> Callable[[str], int]:
    """A type of argument: a whole number of ``low`` or more."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or int(text) < low:
            raise ArgumentTypeError(f"'{text}' is not a whole number of at least {low}: write one.")
        return int(text)

    return parse


def points(text: str) -> float:
    """A margin in score points."""
    try:
        margin = float(text)
    except ValueError:
        margin = 0.0
    if not 0 < margin < float("inf"):
        raise ArgumentTypeError(f"'{text}' is not a positive number of score points: write one, as 0.25.")
    return margin


class Command(BaseCommand):
    help = "Statistics of a table of scores (slice, arm, reader, score) as JSON; needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--scores", type=Path, required=True, help="CSV, long, or wide with --wide")
        parser.add_argument("--metrics", type=Path, help="CSV with arm, modality, fid_med or arm, latency_ms")
        parser.add_argument("--categories", type=categories, help="all categories of the form, as 1,2,3,4,5")
        parser.add_argument("--wide", action="store_true", help="one column per reader")
        parser.add_argument("--seed", type=at_least(0), default=0, help="of the resampling (default 0)")
        parser.add_argument("--draws", type=at_least(1), default=2000, help="resamples (default 2000)")
        parser.add_argument("--margin", type=points, help="score points, for non-inferiority and equivalence")
        parser.add_argument("--json", type=Path, required=True, dest="output", help="file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scores = read_scores(options["scores"], wide=options["wide"])
            metrics = read_metrics(options["metrics"]) if options["metrics"] else None
            document = analyse(
                scores, metrics, options["categories"], options["seed"], options["draws"], margin=options["margin"]
            )
        except TableError as error:
            raise CommandError(str(error)) from error
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            options["output"].write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']} can't be written ({error}): name another file.") from error
        self.stdout.write(f"Wrote {options['output']}.")
