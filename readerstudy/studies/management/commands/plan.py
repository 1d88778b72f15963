"""``manage.py plan``: power, half-width of kappa and reading time of a study to be; needs no database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from readerstudy.statistics.csv_tables import read_scores
from readerstudy.statistics.estimate import Undefined, as_json
from readerstudy.statistics.planning_document import PlanDocument, PlanInputs, plan
from readerstudy.statistics.planning_kappa import Form
from readerstudy.statistics.planning_model import PRESETS, Aim, PlanningError
from readerstudy.statistics.planning_pilot import estimate
from readerstudy.statistics.table import TableError


class Command(BaseCommand):
    help = "Power, half-width of kappa and reading time of a planned study; needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--readers", type=int, required=True)
        parser.add_argument("--slices", type=int, required=True)
        parser.add_argument("--effect", type=float, required=True, help="expected difference in score points")
        parser.add_argument("--scores", type=Path, help="pilot as CSV with slice, arm, reader, score")
        parser.add_argument("--preset", choices=sorted(PRESETS), default="typical", help="without --scores")
        parser.add_argument(
            "--hypothesis", choices=["superiority", "non-inferiority", "equivalence"], default="superiority"
        )
        parser.add_argument("--margin", type=float, default=0.0, help="in score points")
        parser.add_argument("--alpha", type=float, default=0.05, help="of the family (default .05)")
        parser.add_argument("--arms", type=int, default=2)
        parser.add_argument("--comparisons", type=int, help="size of the family (default: all pairs of arms)")
        parser.add_argument("--correction", choices=["bonferroni", "holm", "none"], default="bonferroni")
        parser.add_argument("--fixed-readers", action="store_true", help="readers stand for themselves only")
        parser.add_argument("--mean", type=float, help="mean score of an arm (default 3.5, or the pilot's)")
        parser.add_argument("--criteria", type=int, default=1)
        parser.add_argument("--seconds", type=float, default=8.0, help="per score (default 8)")
        parser.add_argument("--repeats", type=float, default=0.0, help="share shown twice (default 0)")
        parser.add_argument("--json", type=Path, dest="output", help="file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = plan(_inputs(options))
        except (PlanningError, TableError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_text(document))
        if options["output"]:
            text = json.dumps(as_json(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            try:
                options["output"].write_text(text, encoding="utf-8")
            except OSError as error:
                raise CommandError(f"{options['output']} can't be written ({error}): name another file.") from error
            self.stdout.write(f"Wrote {options['output']}.")


def _inputs(options: dict[str, Any]) -> PlanInputs:
    components, design_effect, form = PRESETS[options["preset"]], 1.0, Form()
    if options["scores"]:
        pilot = estimate(read_scores(options["scores"]))
        components, design_effect = pilot.components, pilot.design_effect
        form = Form(min(1, pilot.lowest), max(5, pilot.highest), pilot.mean_score)
    if options["mean"] is not None:
        form = Form(form.lowest, form.highest, options["mean"])
    arms = options["arms"]
    if arms < 2 or not 0 <= options["repeats"] <= 1:
        raise PlanningError("A study has 2 arms or more, and the share shown twice lies between 0 and 1: correct them.")
    family = options["comparisons"]
    aim = Aim(
        effect=options["effect"], kind=options["hypothesis"], margin=options["margin"], alpha=options["alpha"],
        comparisons=arms * (arms - 1) // 2 if family is None else family, correction=options["correction"],
        readers="fixed" if options["fixed_readers"] else "random", design_effect=design_effect,
    )  # fmt: skip
    return PlanInputs(
        components=components, aim=aim, readers=options["readers"], slices=options["slices"], arms=arms, form=form,
        criteria=options["criteria"], seconds=options["seconds"], repeats=options["repeats"],
    )  # fmt: skip


def _text(document: PlanDocument) -> str:
    power, kappa, time = document.power, document.kappa, document.reading_time
    lines = [
        f"Power {100 * power.power:.1f} % (Hillis' formula {100 * power.closed_form:.1f} %, df {power.df:.1f}), "
        f"half-width of the difference {power.half_width:.2f} points",
        document.saturation.sentence,
    ]
    if isinstance(kappa, Undefined):
        lines.append(f"Kappa: undefined, {kappa.reason}")
    else:
        lines.append(
            f"Kappa about {kappa.kappa:.2f}: half-width {kappa.half_width:.2f} over slices, "
            f"{kappa.with_readers:.2f} with other readers too"
        )
    if not isinstance(document.kappa_saturation, Undefined):
        lines.append(document.kappa_saturation.sentence)
    lines.append(
        f"Reading: {time.presentations:,} images, {time.hours_per_reader:.1f} h per reader in {time.sittings} "
        f"sitting{'' if time.sittings == 1 else 's'} of 30 minutes, {time.hours:.1f} h in all"
    )
    return "\n".join([*lines, *document.warnings, *(f"- {line}" for line in document.assumptions)])
