"""What a comparison of two arms is planned from, and its power by Hillis' closed form.

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
from typing import Literal

import numpy as np
from scipy import special, stats

from readerstudy.statistics.estimate import FloatArray

Kind = Literal["superiority", "non-inferiority", "equivalence"]
MOST_DF = 1e9
QUANTILES = 400


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
    return np.clip(np.where(certain, certain_power(aim), power), 0.0, 1.0)


def _tail(critical: FloatArray, df: FloatArray, shift: FloatArray) -> FloatArray:
    """P(T > critical) of the noncentral t, normal where the df are so many that it makes no difference."""
    with np.errstate(all="ignore"):
        exact = np.where(shift == 0, stats.t.sf(critical, df), stats.nct.sf(critical, df, shift))
    normal = stats.norm.sf(critical - shift)
    return np.asarray(np.where(np.isfinite(exact) & (df < 1e5) & (np.abs(shift) < 30), exact, normal))


def certain_power(aim: Aim) -> float:
    """Power where nothing is left to chance."""
    distance = abs(aim.effect) if aim.kind == "superiority" else inside(aim)
    if distance == 0:
        return aim.level if aim.kind == "superiority" else 0.0
    return 1.0 if distance > 0 else 0.0


def inside(aim: Aim) -> float:
    """How far (points) the expected difference lies inside the margin."""
    return aim.margin + aim.effect if aim.kind == "non-inferiority" else aim.margin - abs(aim.effect)


def _equivalence(aim: Aim, error: FloatArray, df: FloatArray) -> FloatArray:
    """Both one-sided tests reject: the mean over the distribution of the estimated standard error (k,)."""
    quantiles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    df, error = df[:, None], error[:, None]
    spread = error * np.sqrt(stats.chi2.ppf(quantiles, df) / df)
    return np.asarray(given_reach(aim, error, stats.t.isf(aim.critical_level, df) * spread).mean(axis=1))


def given_reach(aim: Aim, error: FloatArray | float, reach: FloatArray) -> FloatArray:
    """Chance to reject (..., m) where the analysis takes differences beyond ``reach`` (points) for shown."""
    if aim.kind == "superiority":
        return np.asarray(special.ndtr((aim.effect - reach) / error) + special.ndtr((-reach - aim.effect) / error))
    if aim.kind == "non-inferiority":
        return np.asarray(special.ndtr((aim.margin + aim.effect - reach) / error))
    upper = special.ndtr((aim.margin - reach - aim.effect) / error)
    return np.maximum(upper - special.ndtr((reach - aim.margin - aim.effect) / error), 0.0)


def power_curve(components: VarianceComponents, aim: Aim, readers: int, slices: FloatArray) -> FloatArray:
    """Closed-form power (k,) at each number of slices (k,), infinity allowed."""
    return closed_form(aim, *standard_error(components, aim, readers, slices))
