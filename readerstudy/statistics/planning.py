"""Power of a comparison of two arms before any score exists, and how long the reading takes.

Scores follow arm + slice + reader + slice:arm + reader:arm + slice:reader + error, all but the arm random and
independent; variances are in squared score points. Per ``n`` slices the Obuchowski-Rockette parameters are
Var = (all but the reader terms) / n, Cov1 = (slice + slice:reader) / n, Cov2 = (slice + slice:arm) / n and
Cov3 = slice / n. Sources: Hillis, Obuchowski and Berbaum 2011 (Academic Radiology 18:129-142) for power with
readers and cases random, Hillis 2007 for the degrees of freedom; the published worked example of the tests is the
Van Dyke data (Var .000802, Cov1 .000347, Cov2 .000344, Cov3 .000239, 114 cases).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import optimize, stats

from readerstudy.statistics.estimate import FloatArray

Kind = Literal["superiority", "non-inferiority", "equivalence"]
MOST_DF = 1e9
LARGEST_SLICES = 100_000
TARGET = 0.80
GAIN = 0.01
POINTS = 4096
QUANTILES = 400
OUTSIDE = "The expected difference lies outside the margin: no number of slices or readers can show the hypothesis."


class PlanningError(ValueError):
    """Why nothing can be planned from these numbers, in one sentence that says what to change."""


@dataclass(frozen=True)
class VarianceComponents:
    """Variances in squared score points; ``slice_reader`` cancels in differences but lowers agreement."""

    slice: float
    reader: float
    slice_arm: float
    reader_arm: float
    slice_reader: float
    error: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise PlanningError(f"The variance of {field.name.replace('_', ' x ')} must be 0 or more: change it.")

    @classmethod
    def from_deviations(cls, **deviations: float) -> VarianceComponents:
        """From standard deviations in score points."""
        return cls(**{name: value * value for name, value in deviations.items()})

    @classmethod
    def from_obuchowski_rockette(
        cls, reader: float, reader_arm: float, var: float, cov1: float, cov2: float, cov3: float, cases: float
    ) -> VarianceComponents:
        """From the parameters of an analysis of ``cases`` cases; differences below 0 become 0."""
        slice_arm = max(cov2 - cov3, 0.0)
        return cls(
            slice=cases * max(cov3, 0.0),
            reader=max(reader, 0.0),
            slice_arm=cases * slice_arm,
            reader_arm=max(reader_arm, 0.0),
            slice_reader=cases * max(cov1 - cov3, 0.0),
            error=cases * max(var - cov1 - slice_arm, 0.0),
        )

    def deviations(self) -> dict[str, float]:
        """Standard deviations in score points."""
        return {field.name: math.sqrt(getattr(self, field.name)) for field in fields(self)}


# Our own assumptions, stated as such wherever they are used: no published variance components exist for these scores.
PRESETS: dict[str, VarianceComponents] = {
    "typical": VarianceComponents.from_deviations(
        slice=0.5, reader=0.3, slice_arm=0.3, reader_arm=0.15, slice_reader=0.25, error=0.45
    ),
    "agreeing": VarianceComponents.from_deviations(
        slice=0.6, reader=0.1, slice_arm=0.3, reader_arm=0.05, slice_reader=0.1, error=0.35
    ),
    "differing": VarianceComponents.from_deviations(
        slice=0.4, reader=0.5, slice_arm=0.3, reader_arm=0.3, slice_reader=0.4, error=0.7
    ),
}


@dataclass(frozen=True)
class Aim:
    """What shall be shown: ``effect`` and ``margin`` in score points, new arm minus standard.

    ``alpha`` is two-sided for superiority, half of it one-sided for non-inferiority, and each of the two one-sided
    tests of equivalence has all of it. ``comparisons`` is the size of the family; Holm is planned like Bonferroni,
    its guaranteed least. ``readers``: "random" is the multi-reader analysis, "fixed" the paired t on slice means.
    ``design_effect``: how many slices count as one independent slice.
    """

    effect: float
    kind: Kind = "superiority"
    margin: float = 0.0
    alpha: float = 0.05
    comparisons: int = 1
    correction: Literal["bonferroni", "holm", "none"] = "bonferroni"
    readers: Literal["random", "fixed"] = "random"
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise PlanningError("Alpha must lie between 0 and 1: write .05.")
        if self.comparisons < 1:
            raise PlanningError("The family holds at least 1 comparison: raise the number.")
        if self.kind != "superiority" and not self.margin > 0:
            raise PlanningError(f"{self.kind.capitalize()} needs a margin above 0 score points: write it.")
        if not self.design_effect >= 1:
            raise PlanningError("The design effect is 1 or more: raise it.")

    @property
    def level(self) -> float:
        """Alpha of one comparison."""
        return self.alpha if self.correction == "none" else self.alpha / self.comparisons

    @property
    def critical_level(self) -> float:
        """Share of the t distribution beyond the critical value."""
        return self.level if self.kind == "equivalence" else self.level / 2


@dataclass(frozen=True)
class Power:
    """Power of one comparison by Hillis' closed form, and of the test as it will be computed.

    The analysis estimates its degrees of freedom from the readers at hand, which the closed form takes as known:
    with 3 readers it is up to 6 points off. ``half_width`` (points): of the 95 % interval of the difference.
    """

    power: float
    as_analysed: float
    standard_error: float
    df: float
    half_width: float


def standard_error(
    components: VarianceComponents, aim: Aim, readers: int, slices: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Standard error (points) and Hillis' df of the difference of two arms; ``slices`` (k,) may be infinite."""
    _check(aim, readers, slices)
    n = np.asarray(slices, dtype=np.float64) / aim.design_effect
    residual, shared = 2 * components.error / n, 2 * components.slice_arm / n
    if aim.readers == "fixed":
        return np.sqrt(residual / readers + shared), np.minimum(n - 1, MOST_DF)
    between = 2 * components.reader_arm + residual
    total = between + readers * shared
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(between > 0, (readers - 1) * (total / between) ** 2, MOST_DF)
    return np.sqrt(total / readers), np.minimum(df, MOST_DF)


def _check(aim: Aim, readers: int, slices: FloatArray) -> None:
    if readers < (2 if aim.readers == "random" else 1):
        raise PlanningError("Readers taken as random must be 2 or more: add readers.")
    if np.min(slices) / aim.design_effect < 2:
        raise PlanningError("The study needs at least 2 independent slices: add slices.")


def closed_form(aim: Aim, error: FloatArray, df: FloatArray) -> FloatArray:
    """Power (k,) from standard errors and degrees of freedom by the noncentral t (or F, which is its square)."""
    certain = error <= 0
    safe = np.where(certain, 1.0, error)
    critical = np.asarray(stats.t.isf(aim.critical_level, df), dtype=np.float64)
    if aim.kind == "equivalence":
        power = _equivalence(aim, safe, df)
    elif aim.kind == "non-inferiority":
        power = _tail(critical, df, (aim.effect + aim.margin) / safe)
    else:
        shift = abs(aim.effect) / safe
        power = np.add(_tail(critical, df, shift), _tail(critical, df, -shift))
    return np.clip(np.where(certain, _certain(aim), power), 0.0, 1.0)


def _tail(critical: FloatArray, df: FloatArray, shift: FloatArray) -> FloatArray:
    """P(T > critical) of the noncentral t, normal where the df are so many that it makes no difference."""
    with np.errstate(all="ignore"):
        exact = np.where(shift == 0, stats.t.sf(critical, df), stats.nct.sf(critical, df, shift))
    normal = stats.norm.sf(critical - shift)
    return np.asarray(np.where(np.isfinite(exact) & (df < 1e5) & (np.abs(shift) < 30), exact, normal))


def _certain(aim: Aim) -> float:
    """Power where nothing is left to chance."""
    distance = abs(aim.effect) if aim.kind == "superiority" else _inside(aim)
    if distance == 0:
        return aim.level if aim.kind == "superiority" else 0.0
    return 1.0 if distance > 0 else 0.0


def _inside(aim: Aim) -> float:
    """How far (points) the expected difference lies inside the margin."""
    return aim.margin + aim.effect if aim.kind == "non-inferiority" else aim.margin - abs(aim.effect)


def _equivalence(aim: Aim, error: FloatArray, df: FloatArray) -> FloatArray:
    """Both one-sided tests reject: the mean over the distribution of the estimated standard error (k,)."""
    quantiles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    df, error = df[:, None], error[:, None]
    spread = error * np.sqrt(stats.chi2.ppf(quantiles, df) / df)
    return np.asarray(_given_spread(aim, error, spread, df).mean(axis=1))


def _given_spread(aim: Aim, error: FloatArray | float, spread: FloatArray, df: FloatArray) -> FloatArray:
    """Chance to reject (..., m) where the analysis estimates these standard errors and degrees of freedom."""
    reach = stats.t.isf(aim.critical_level, df) * spread
    if aim.kind == "superiority":
        return np.asarray(stats.norm.sf((reach - aim.effect) / error) + stats.norm.cdf((-reach - aim.effect) / error))
    if aim.kind == "non-inferiority":
        return np.asarray(stats.norm.sf((reach - aim.margin - aim.effect) / error))
    upper = stats.norm.cdf((aim.margin - reach - aim.effect) / error)
    return np.maximum(upper - stats.norm.cdf((reach - aim.margin - aim.effect) / error), 0.0)


@lru_cache(maxsize=1)
def _points() -> FloatArray:
    """Evenly spread points (POINTS, 3) of the unit cube, always the same."""
    return np.asarray(stats.qmc.Sobol(3, scramble=True, rng=0).random(POINTS), dtype=np.float64)


def as_analysed(components: VarianceComponents, aim: Aim, readers: int, slices: int) -> float:
    """Power of the test that estimates its degrees of freedom, integrated over the three mean squares.

    For normal scores the mean squares of readers, slices and rest of the differences are independent of each other
    and of the mean; with readers fixed the test is an exact t test and the closed form already says it.
    """
    error, df = (float(v[0]) for v in standard_error(components, aim, readers, np.array([float(slices)])))
    if aim.readers == "fixed" or error <= 0:
        return float(closed_form(aim, np.array([error]), np.array([df]))[0])
    n = slices / aim.design_effect
    rest = 2 * components.error
    expected = (2 * n * components.reader_arm + rest, 2 * readers * components.slice_arm + rest, rest)
    freedom = (readers - 1, n - 1, (n - 1) * (readers - 1))
    mean_squares = [
        value * stats.chi2.ppf(_points()[:, column], nu) / nu
        for column, (value, nu) in enumerate(zip(expected, freedom, strict=True))
    ]
    of_readers = np.maximum(mean_squares[0], 1e-300)
    total = of_readers + np.maximum(mean_squares[1] - mean_squares[2], 0.0)
    estimated = np.minimum((readers - 1) * (total / of_readers) ** 2, MOST_DF)
    return float(np.clip(_given_spread(aim, error, np.sqrt(total / (n * readers)), estimated).mean(), 0, 1))


def power(components: VarianceComponents, aim: Aim, readers: int, slices: int) -> Power:
    """Power of one comparison with ``readers`` readers scoring ``slices`` slices in both arms.

    Raises PlanningError where the design carries no test.
    """
    error, df = standard_error(components, aim, readers, np.array([float(slices)]))
    half = float(stats.t.ppf(0.975, df[0]) * error[0])
    found = float(closed_form(aim, error, df)[0])
    exact = as_analysed(components, aim, readers, slices)
    return Power(found, exact, float(error[0]), float(df[0]), half)


def power_curve(components: VarianceComponents, aim: Aim, readers: int, slices: FloatArray) -> FloatArray:
    """Closed-form power (k,) at each number of slices (k,), infinity allowed."""
    return closed_form(aim, *standard_error(components, aim, readers, slices))


def smallest_effect(components: VarianceComponents, aim: Aim, readers: int, slices: int) -> float | None:
    """Smallest difference (points) found with 80 % power; None unless superiority is the aim."""
    if aim.kind != "superiority":
        return None
    error, df = standard_error(components, aim, readers, np.array([float(slices)]))
    if error[0] <= 0:
        return 0.0

    def gap(ratio: float) -> float:
        shift = Aim(ratio, alpha=aim.level)
        return float(closed_form(shift, np.ones(1), df)[0]) - TARGET

    # The df are at least 1, where 80 % takes a shift of 4 critical values.
    highest = 4 * float(stats.t.isf(aim.critical_level, df[0])) + 4
    return float(error[0] * optimize.brentq(gap, 0.0, highest)) if gap(highest) > 0 else None


def _slice_grid(aim: Aim) -> FloatArray:
    first = math.ceil(2 * aim.design_effect)
    near = np.arange(first, first + 300)
    far = np.unique(np.geomspace(first + 300, LARGEST_SLICES, 120).round())
    return np.concatenate([near, far]).astype(np.float64)


@lru_cache(maxsize=256)
def slices_needed(components: VarianceComponents, aim: Aim, readers: int, target: float = TARGET) -> int | None:
    """Fewest slices that reach the target power, None where none up to LARGEST_SLICES do."""
    grid = _slice_grid(aim)
    reached = np.flatnonzero(power_curve(components, aim, readers, grid) >= target)
    if len(reached) == 0:
        return None
    index = int(reached[0])
    between = np.arange(grid[max(index - 1, 0)], grid[index] + 1)
    enough = power_curve(components, aim, readers, between) >= target
    return int(between[int(np.argmax(enough))])


@dataclass(frozen=True)
class Saturation:
    """From which number of slices on more of them gain less than ``gain``, and what is left at infinity."""

    slices: int | None
    limit: float
    sentence: str


@lru_cache(maxsize=256)
def saturation(components: VarianceComponents, aim: Aim, readers: int, gain: float = GAIN) -> Saturation:
    """Where power stops rising with the number of slices, and what to do instead, as a sentence."""
    grid = _slice_grid(aim)
    curve = power_curve(components, aim, readers, np.append(grid, np.inf))
    limit = float(curve[-1])
    if aim.kind == "superiority" and aim.effect == 0:
        return Saturation(
            None, limit, "With a true difference of 0 power is the error rate, whatever the number of slices."
        )
    if aim.kind != "superiority" and _inside(aim) <= 0:
        return Saturation(None, limit, OUTSIDE)
    best = np.maximum.accumulate(curve[::-1])[::-1]
    index = int(np.argmax(best[:-1] - curve[:-1] <= gain)) if (best[:-1] - curve[:-1] <= gain).any() else None
    if index is None:
        return Saturation(None, limit, f"Power still rises beyond {LARGEST_SLICES:,} slices.")
    slices = _refined(components, aim, readers, grid, index, float(best[index]) - gain)
    return Saturation(slices, limit, _power_sentence(slices, float(curve[index:].max()), gain))


def _refined(components: VarianceComponents, aim: Aim, readers: int, grid: FloatArray, index: int, level: float) -> int:
    between = np.arange(grid[max(index - 1, 0)], grid[index] + 1)
    reached = power_curve(components, aim, readers, between) >= level
    return int(between[int(np.argmax(reached))] if reached.any() else grid[index])


def _power_sentence(slices: int, best: float, gain: float) -> str:
    points = f"{100 * gain:g} point" + ("" if gain == 0.01 else "s")
    if best > 0.985:
        return f"Beyond {slices:,} slices power is within {points} of 100 %: more slices only cost reading time."
    return (
        f"Beyond {slices:,} slices power no longer rises by {points} or more (at most {100 * best:.0f} %): "
        "the readers limit it; add readers."
    )


@dataclass(frozen=True)
class ReadingTime:
    """Hours of reading, without breaks, and sittings of 30 minutes."""

    presentations: int
    hours_per_reader: float
    sittings: int
    hours: float


def reading_time(criteria: int, presentations: int, seconds: float, readers: int = 1) -> ReadingTime:
    """Criteria x images x seconds per score, for one reader and for all of them."""
    if criteria < 1 or presentations < 1 or not seconds > 0:
        raise PlanningError("Reading takes at least 1 criterion, 1 image and more than 0 seconds: raise them.")
    each = criteria * presentations * seconds
    return ReadingTime(presentations, each / 3600, math.ceil(each / 1800), readers * each / 3600)
