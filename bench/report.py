"""What every suite shares: a figure, a printed table, and one JSON file per suite under ``var/bench``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "var" / "bench"


@dataclass(frozen=True)
class Figure:
    """One measured value with its unit and, for a speed claim, the alternative it was measured against."""

    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str | None = None

    @property
    def ratio(self) -> float | None:
        """Value over baseline (both in ``unit``): below 1 is faster or smaller than the alternative."""
        return self.value / self.baseline if self.baseline else None

    def as_json(self) -> dict[str, float | str | None]:
        return {
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "baseline_name": self.baseline_name,
            "ratio": self.ratio,
        }


def table(figures: Mapping[str, Figure]) -> str:
    lines = [f"{'figure':34} {'value':>12} {'unit':8} {'baseline':>12} {'ratio':>8}  against"]
    for name, figure in figures.items():
        baseline = "" if figure.baseline is None else f"{figure.baseline:12.4g}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:8.3f}"
        lines.append(
            f"{name:34} {figure.value:12.4g} {figure.unit:8} {baseline:>12} {ratio:>8}  {figure.baseline_name or ''}"
        )
    return "\n".join(lines)


def main(suite: str, run: Callable[[], Mapping[str, Figure]]) -> None:
    """Run one suite, print its table and write ``var/bench/SUITE.json``."""
    figures = run()
    print(table(figures))
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{suite}.json"
    path.write_text(json.dumps({"figures": {k: f.as_json() for k, f in figures.items()}}, indent=2) + "\n")
