"""How precise Fleiss' kappa of one arm will be: simulated ordinal scores and Gwet's interval of each table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from readerstudy.statistics.estimate import FloatArray, Undefined
from readerstudy.statistics.intervals import Z
from readerstudy.statistics.planning import GAIN, Saturation
from readerstudy.statistics.planning_model import PlanningError, VarianceComponents

STUDIES = 300
SLICES = 300
CELLS = 2_000_000
SEED = 4
# A rounded score varies by 1/12 of a squared point more than what was rounded (Sheppard).
ROUNDING = 1 / 12
DEFINED_SHARE = 0.95


@dataclass(frozen=True)
class Form:
    """The scores of the form, lowest to highest, and the mean score expected of an arm (points)."""

    lowest: int = 1
    highest: int = 5
    mean: float = 3.5

    def __post_init__(self) -> None:
        if not 1 <= self.highest - self.lowest <= 99:
            raise PlanningError("The form needs 2 to 100 categories: change their number.")
        if not self.lowest <= self.mean <= self.highest:
            raise PlanningError(f"The mean score must lie between {self.lowest} and {self.highest}: change it.")


@dataclass(frozen=True)
class KappaPrecision:
    """Expected kappa and half-widths of its 95 % interval.

    ``half_width``: Gwet's interval over slices, these readers taken as fixed. ``with_readers`` adds what another
    choice of readers would change; ``limit`` is what is left of it with infinitely many slices.
    """

    kappa: float
    half_width: float
    with_readers: float
    limit: float
    studies: int


def kappas(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fleiss' kappa and Gwet's standard error (studies,) of counts (studies, slices, categories) without gaps.

    The same numbers as ``agreement.fleiss_kappa`` of each table; NaN where all scores are in one category.
    """
    n = counts.shape[1]
    m = counts[0, 0].sum()
    agreeing = ((counts * counts).sum(axis=2) - m) / (m * (m - 1))
    shares = counts.mean(axis=1) / m
    chance = (shares * shares).sum(axis=1, keepdims=True)
    per_unit = np.einsum("snq,sq->sn", counts, shares) / m
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(1 - chance < 1e-6, np.nan, 1 - chance)
        kappa = (agreeing.mean(axis=1, keepdims=True) - chance) / room
        influence = (agreeing - chance) / room - 2 * (1 - kappa) * (per_unit - chance) / room - kappa
    return kappa[:, 0], np.sqrt((influence**2).sum(axis=1) / (n * (n - 1)))


@lru_cache(maxsize=64)
def simulated_counts(
    components: VarianceComponents, form: Form, readers: int, studies: int = STUDIES, slices: int = SLICES
) -> npt.NDArray[np.float32]:
    """Counts (studies, slices, categories) of rounded scores of one arm, every study with readers of its own."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    of_slice = math.sqrt(components.slice + components.slice_arm)
    of_reader = math.sqrt(components.reader + components.reader_arm)
    noise = math.sqrt(max(components.slice_reader + components.error - ROUNDING, 0.0))
    categories = np.arange(form.lowest, form.highest + 1)
    counts = np.empty((studies, slices, len(categories)), dtype=np.float32)
    step = max(1, CELLS // (slices * readers))
    for start in range(0, studies, step):
        size = min(step, studies - start)
        latent = noise * generator.standard_normal((size, slices, readers), dtype=np.float32)
        latent += of_slice * generator.standard_normal((size, slices, 1), dtype=np.float32)
        latent += of_reader * generator.standard_normal((size, 1, readers), dtype=np.float32)
        scores = np.clip(np.rint(latent + form.mean), form.lowest, form.highest)
        for code, category in enumerate(categories):
            counts[start : start + size, :, code] = (scores == category).sum(axis=2)
    return counts


@lru_cache(maxsize=4096)
def half_width_kappa(
    components: VarianceComponents, form: Form, readers: int, slices: int
) -> KappaPrecision | Undefined:
    """Half-widths of kappa's 95 % interval for one arm scored by ``readers`` readers on ``slices`` slices.

    Means over STUDIES simulated studies of at most SLICES slices each, the variance being carried on as 1 / slices
    beyond; smaller studies are the first slices of larger ones, so that a curve over slices is smooth. Raises
    PlanningError for fewer than 2 readers or slices.
    """
    if readers < 2 or slices < 2:
        raise PlanningError("Agreement needs at least 2 readers and 2 slices: raise them.")
    counts = simulated_counts(components, form, readers)
    kappa, error = kappas(counts[:, : min(slices, SLICES)].astype(np.float64))
    defined = np.isfinite(kappa)
    if defined.mean() < DEFINED_SHARE:
        lost = int((~defined).sum())
        return Undefined(f"all scores fall into one category in {lost} of {STUDIES} simulated studies")
    squared = float(np.mean(error[defined] ** 2)) * min(1.0, SLICES / slices)
    half = float(stats.t.ppf(0.975, slices - 1)) * float(np.mean(error[defined])) * min(1.0, math.sqrt(SLICES / slices))
    mean, panels = _panels(components, form, readers)
    return KappaPrecision(mean, half, Z * math.sqrt(max(panels + squared, half**2 / Z**2)), Z * math.sqrt(panels),
                          STUDIES)  # fmt: skip


@lru_cache(maxsize=64)
def _panels(components: VarianceComponents, form: Form, readers: int) -> tuple[float, float]:
    """Mean kappa, and its variance between groups of readers with the part of the slices taken off."""
    kappa, error = kappas(simulated_counts(components, form, readers).astype(np.float64))
    defined = np.isfinite(kappa)
    variance = float(kappa[defined].var(ddof=1)) - float(np.mean(error[defined] ** 2))
    return float(kappa[defined].mean()), max(variance, 0.0)


def kappa_saturation(
    components: VarianceComponents, form: Form, readers: int, gain: float = GAIN
) -> Saturation | Undefined:
    """From which number of slices on the half-width, readers random, comes within ``gain`` of its limit."""
    found = half_width_kappa(components, form, readers, SLICES)
    if isinstance(found, Undefined):
        return found
    squared = max(found.with_readers**2 - found.limit**2, 0.0) * SLICES
    room = (found.limit + gain) ** 2 - found.limit**2
    slices = max(2, math.ceil(squared / room))
    return Saturation(
        slices,
        found.limit,
        f"Beyond {slices:,} slices the half-width of kappa falls by less than {gain:.2f}: "
        f"{found.limit:.2f} of it depends on who the readers are" + ("; add readers." if found.limit > gain else "."),
    )
