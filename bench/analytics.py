"""How fast the statistics are: ``make bench SUITE=analytics``; one core, medians of several repeats.

``full_analysis_s``: everything but the mixed models, 5 readers x 100 slices x 4 arms, 2,000 draws.
``clmm_s``: both mixed models of the same table with standard errors and likelihood-ratio tests.
``bootstrap_vs_statsmodels``: Fleiss' kappa over 2,000 given resamples, against looping statsmodels over the
same; ``bootstrap_and_drawing`` counts the drawing of the resamples on our side only.
``hundred_thousand_scores_*``: 1,000 slices x 10 arms x 10 readers, read from CSV, headline (the mixed models
left out), in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from bench.report import Figure, main
from readerstudy.statistics.agreement import codes_of, count_table, fleiss_columns, fleiss_statistic
from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.bootstrap import bootstrap, canonical, forget_resamples, resample_counts, resample_indices
from readerstudy.statistics.clmm import fit_clmm
from readerstudy.statistics.table import ScoreRow, ScoreTable

FORM = (1, 2, 3, 4, 5)
MEANS = (2.8, 3.6, 3.9, 4.6)
REPEATS = 5
DRAWS = 2000


def simulated(slices: int, arms: int, readers: int) -> np.ndarray:
    """Scores (slices, arms, readers) with effects of slice, reader, slice x arm, reader x arm."""
    generator = np.random.Generator(np.random.PCG64(1))
    shapes = (
        (0.4, (slices, 1, 1)),
        (0.3, (1, 1, readers)),
        (0.2, (slices, arms, 1)),
        (0.15, (1, arms, readers)),
        (0.5, (slices, arms, readers)),
    )
    means = np.resize(MEANS, arms)[None, :, None]
    return np.clip(np.round(means + sum(sd * generator.normal(size=shape) for sd, shape in shapes)), 1, 5)


def rows(cube: np.ndarray) -> list[ScoreRow]:
    return [ScoreRow(f"S{s}", f"A{a}", f"R{r}", float(score)) for (s, a, r), score in np.ndenumerate(cube)]


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@dataclass(frozen=True)
class BootstrapTimes:
    """Seconds of ``DRAWS`` kappas: ours over given resamples, ours drawing included, and the loop."""

    given: float
    drawn: float
    loop: float


def bootstrap_times(cube: np.ndarray) -> BootstrapTimes:
    """Interleaved medians; both sides get the same resamples. Raises RuntimeError if the kappas differ."""
    counts = count_table(codes_of(cube[:, 0], FORM), len(FORM))
    columns = fleiss_columns(counts)
    rows_in_order = canonical(columns)
    table = counts[np.lexsort(columns.T[::-1])]
    times: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _ in range(REPEATS):
        resamples = np.concatenate(list(resample_counts(len(table), 0, DRAWS)))
        indices = np.concatenate(list(resample_indices(len(table), 0, DRAWS)))
        start = time.perf_counter()
        fast = fleiss_statistic(resamples @ rows_in_order)
        times[0].append(time.perf_counter() - start)
        start = time.perf_counter()
        forget_resamples()
        drawn = bootstrap(columns, fleiss_statistic, 0, DRAWS)
        times[1].append(time.perf_counter() - start)
        start = time.perf_counter()
        slow = np.array([statsmodels_fleiss(table[index]) for index in indices])
        times[2].append(time.perf_counter() - start)
        if max(np.abs(fast - slow).max(), np.abs(drawn - slow).max()) > 1e-9:
            raise RuntimeError("Our bootstrap and the loop over statsmodels differ; fix the statistic first.")
    return BootstrapTimes(*(statistics.median(each) for each in times))


HUNDRED_THOUSAND = """
import json, resource, sys, time
from pathlib import Path
from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.csv_tables import read_scores
start = time.perf_counter()
analyse(read_scores(Path(sys.argv[1])), None, (1, 2, 3, 4, 5), clmm=False)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - start, peak]))
"""


def hundred_thousand() -> tuple[float, float]:
    """Seconds and peak resident MiB of the analysis of 100,000 scores in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        lines = (f"{row.slice},{row.arm},{row.reader},{row.score:.0f}\n" for row in rows(simulated(1000, 10, 10)))
        path.write_text("slice,arm,reader,score\n" + "".join(lines))
        command = [sys.executable, "-c", HUNDRED_THOUSAND, str(path)]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(3)
        ]
    return statistics.median(run[0] for run in runs), max(run[1] for run in runs)


def run() -> dict[str, Figure]:
    cube = simulated(100, 4, 5)
    table, arms = ScoreTable.from_rows(rows(cube)), [f"A{a}" for a in range(4)]

    def everything() -> None:
        forget_resamples()
        analyse(table, None, FORM, clmm=False)

    full = seconds(everything)
    clmm = seconds(lambda: [fit_clmm(cube, arms, FORM, crossed) for crossed in (False, True)], 3)
    kappa = bootstrap_times(cube)
    time_s, peak = hundred_thousand()
    return {
        "full_analysis_s": Figure(full, "s"),
        "clmm_s": Figure(clmm, "s"),
        "bootstrap_vs_statsmodels": Figure(kappa.given, "s", kappa.loop, "statsmodels in a loop"),
        "bootstrap_and_drawing": Figure(kappa.drawn, "s", kappa.loop, "statsmodels, resamples given"),
        "hundred_thousand_scores_s": Figure(time_s, "s"),
        "hundred_thousand_scores_peak_mib": Figure(peak, "MiB"),
    }


if __name__ == "__main__":
    main("analytics", run)
