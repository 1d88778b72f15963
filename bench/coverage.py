"""Whether the intervals and tests keep their promises: 2,000 simulated studies at each reader x arm spread.

``make bench SUITE=coverage``. Two arms, 100 slices, 5 readers, scores 1-5; intervals of means and differences
that take readers as random must cover the true values 93-97 % of the time and the multi-reader test reject
3.5-6.5 % where nothing differs; the paired t on slice means is printed beside it as the alternative. Kappa
(readers fixed) is checked against its value for 200,000 slices read by the same readers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.report import Figure, main
from readerstudy.statistics.agreement import codes_of, count_table, fleiss_kappa
from readerstudy.statistics.comparison import paired_t
from readerstudy.statistics.estimate import Estimate
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.mrmc import crossed_mean
from readerstudy.statistics.opinion import unit_means

STUDIES = 2000
KAPPA_STUDIES = 1000
SPREADS = (0.0, 0.15, 0.30)
SLICES, READERS, MEAN = 100, 5, 3.0
SD_SLICE, SD_READER, SD_SLICE_ARM, SD_NOISE = 0.5, 0.3, 0.2, 0.5
FORM = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Shares:
    """What happened in how many of the studies at one reader x arm spread."""

    mrmc_rejects: float
    paired_t_rejects: float
    mean_covers: float
    difference_covers: float


def study(generator: np.random.Generator, spread: float) -> np.ndarray:
    """Rounded scores (slices, 2 arms, readers) without a true difference; the mean is 3 by symmetry."""
    latent = (
        MEAN
        + SD_SLICE * generator.normal(size=(SLICES, 1, 1))
        + SD_READER * generator.normal(size=(1, 1, READERS))
        + SD_SLICE_ARM * generator.normal(size=(SLICES, 2, 1))
        + spread * generator.normal(size=(1, 2, READERS))
        + SD_NOISE * generator.normal(size=(SLICES, 2, READERS))
    )
    return np.clip(np.round(latent), 1, 5)


def _covers(estimate: object, truth: float) -> bool:
    if not isinstance(estimate, Estimate) or estimate.ci_low is None or estimate.ci_high is None:
        return False
    return estimate.ci_low <= truth <= estimate.ci_high


def at_spread(spread: float) -> Shares:
    generator = np.random.Generator(np.random.PCG64(round(1000 * spread)))
    clusters = Clusters.of_units(SLICES)
    counts = np.zeros(4)
    for _ in range(STUDIES):
        cube = study(generator, spread)
        difference = crossed_mean(cube[:, 1] - cube[:, 0], clusters)
        means = unit_means(cube)
        t = paired_t(means[:, 1] - means[:, 0])
        counts += (
            isinstance(p := getattr(difference, "p", None), float) and p < 0.05,
            isinstance(t.p, float) and t.p < 0.05,
            _covers(crossed_mean(cube[:, 0], clusters), MEAN),
            _covers(difference, 0.0),
        )
    return Shares(*(counts / STUDIES).tolist())


def kappa_coverage(n: int) -> float:
    """Share of Gwet's intervals that hold the kappa of these readers over all slices."""
    generator = np.random.Generator(np.random.PCG64(n))
    bias = np.array([-0.4, -0.1, 0.0, 0.1, 0.4])

    def counts(slices: int) -> np.ndarray:
        latent = MEAN + 0.8 * generator.normal(size=(slices, 1)) + bias
        scores = np.clip(np.round(latent + SD_NOISE * generator.normal(size=(slices, READERS))), 1, 5)
        return count_table(codes_of(scores, FORM), len(FORM))

    truth = fleiss_kappa(counts(200_000), Clusters.of_units(200_000))
    assert isinstance(truth, Estimate)
    clusters = Clusters.of_units(n)
    return float(np.mean([_covers(fleiss_kappa(counts(n), clusters), truth.value) for _ in range(KAPPA_STUDIES)]))


def run() -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for spread in SPREADS:
        shares = at_spread(spread)
        print(f"reader x arm SD {spread:.2f}: {STUDIES} studies done", flush=True)
        name = f"{round(100 * spread):02d}"
        paired = 100 * shares.paired_t_rejects
        figures[f"type_one_error_{name}"] = Figure(100 * shares.mrmc_rejects, "%", paired, "paired t on slice means")
        figures[f"mean_coverage_{name}"] = Figure(100 * shares.mean_covers, "%")
        figures[f"difference_coverage_{name}"] = Figure(100 * shares.difference_covers, "%")
    figures["kappa_coverage_100_slices"] = Figure(100 * kappa_coverage(100), "%")
    return figures


if __name__ == "__main__":
    main("coverage", run)
