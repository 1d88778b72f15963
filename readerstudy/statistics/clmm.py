"""Cumulative link mixed models of ordinal scores: logit, flexible thresholds, Laplace approximation.

The same model as R's ``ordinal::clmm``; positive log odds mean higher scores than the first arm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from readerstudy.statistics.agreement import codes_of
from readerstudy.statistics.clmm_laplace import Laplace, Layout
from readerstudy.statistics.estimate import (
    CONDITIONAL,
    BoolArray,
    Estimate,
    FloatArray,
    IntArray,
    Number,
    Result,
    Undefined,
)
from readerstudy.statistics.intervals import Z

READERS_RANDOM = "slices and readers random in their differences between arms"
ABSENT = Undefined("not in this model")
BOUNDARY = 1e-3
SEPARATED = 25.0
GRADIENT = 1e-5
LEAP = 40.0


@dataclass(frozen=True)
class LikelihoodRatio:
    """Test of no difference between the arms, the random effects being the same in both models."""

    chi2: Number
    df: int
    p: Number


@dataclass(frozen=True)
class Clmm:
    """A fitted model; ``log_odds`` and ``standard_errors`` are against ``reference``, ``label`` says what is random."""

    label: str
    reference: str
    log_odds: dict[str, Result]
    standard_errors: dict[str, Number]
    sd_slice: Number
    sd_reader: Number
    sd_slice_arm: Number
    sd_reader_arm: Number
    thresholds: tuple[float, ...]
    log_likelihood: Number
    likelihood_ratio: LikelihoodRatio
    n_scores: int


@dataclass(frozen=True, eq=False)
class Fit:
    """Parameters (thresholds, beta, log sd) at the maximum and their covariance, NaN at a boundary."""

    parameters: FloatArray
    covariance: FloatArray | None
    log_likelihood: float
    converged: bool


def fit_clmm(cube: FloatArray, arms: Sequence[str], categories: Sequence[int], crossed: bool) -> Clmm | Undefined:
    """Fit scores (slices, arms, readers; NaN missing) with intercepts of slice and reader.

    ``crossed`` adds slice:arm and reader:arm. Undefined where an arm, the readers or the slices are fewer
    than two, where the scores do not vary, or where an arm is separated from the rest.
    """
    present: BoolArray = np.asarray(np.isfinite(cube).any(axis=(0, 2)))
    reason = _unfit(cube, arms, present)
    if reason is not None:
        return Undefined(reason)
    kept = cube[:, present][:, :, np.isfinite(cube).any(axis=(0, 1))]
    kept = kept[np.isfinite(kept).any(axis=(1, 2))]
    used = [category for category in categories if (kept == category).any()]
    codes = codes_of(kept, used)
    fit = maximise(Laplace(Layout(codes, len(used), crossed, fixed_arms=True)), covariance=True)
    layout = Layout(codes, len(used), crossed, fixed_arms=False)
    null = maximise(Laplace(layout), covariance=False)
    if not fit.converged or fit.covariance is None:
        return Undefined("the likelihood has no maximum at finite log odds: an arm is separated from the rest")
    names = [arm for arm, there in zip(arms, present, strict=True) if there]
    return _summary(fit, null, names, arms, len(used) - 1, int((codes >= 0).sum()))


def _unfit(cube: FloatArray, arms: Sequence[str], present: BoolArray) -> str | None:
    given = np.isfinite(cube)
    if not present[0]:
        return f"the first arm, {arms[0]}, has no scores to compare with"
    for number, noun in (
        (int(present.sum()), "arms"),
        (int(given.any(axis=(1, 2)).sum()), "slices"),
        (int(given.any(axis=(0, 1)).sum()), "readers"),
    ):
        if number < 2:
            return f"fewer than two {noun} have scores"
    low, high = float(np.nanmin(cube)), float(np.nanmax(cube))
    if low == high:
        return "all scores are in one category"
    for a in np.flatnonzero(present).tolist():
        own = cube[:, a][given[:, a]]
        if (own == low).all() or (own == high).all():
            return f"all scores of {arms[a]} are in the outermost category, so that its log odds are infinite"
    return None


def maximise(model: Laplace, covariance: bool) -> Fit:
    """Maximum of the Laplace likelihood: BFGS on unconstrained parameters, then Newton steps."""
    layout = model.layout
    k = layout.n_thresholds

    def constrained(free: FloatArray) -> tuple[FloatArray, FloatArray]:
        gaps = np.exp(free[1:k])
        return np.concatenate([free[:1], free[0] + np.cumsum(gaps), free[k:]]), gaps

    def objective(free: FloatArray) -> tuple[float, FloatArray]:
        # A line search may leap to where the likelihood underflows: it is told to come back.
        if np.abs(free).max() > LEAP or (free[1:k] < -LEAP / 4).any() or (free[k + layout.n_beta :] > 5).any():
            return 1e12, np.zeros_like(free)
        parameters, gaps = constrained(free)
        value, gradient = model.evaluate(parameters)
        tail = np.cumsum(gradient[:k][::-1])[::-1]
        return -value, -np.concatenate([tail[:1], tail[1:] * gaps, gradient[k:]])

    found = optimize.minimize(
        objective, _start(layout), jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 300}
    )
    parameters, _ = constrained(np.asarray(found.x, dtype=np.float64))
    fit = _polish(model, parameters) if covariance else None
    if fit is not None:
        return fit
    value, gradient = model.evaluate(parameters)
    return Fit(parameters, None, value, bool(np.abs(gradient).max() < 1e-2))


def _start(layout: Layout) -> FloatArray:
    counts = np.bincount(layout.codes[layout.codes >= 0], minlength=layout.categories)
    share = np.cumsum(counts)[:-1] / counts.sum()
    theta = 1.3 * np.log(share / (1 - share))
    spread = np.log([1.0, 0.5, 0.5, 0.3])[: layout.groups]
    return np.concatenate([theta[:1], np.log(np.diff(theta)), np.zeros(layout.n_beta), spread])


def _polish(model: Laplace, parameters: FloatArray) -> Fit | None:
    """Newton steps from BFGS's end; the Hessian (differences of the gradient) gives the covariance."""
    first_sd = model.layout.n_thresholds + model.layout.n_beta
    beta = slice(model.layout.n_thresholds, first_sd)
    value, gradient = model.evaluate(parameters)
    hessian = np.empty((0, 0))
    for _ in range(4):
        # A vanished standard deviation lies on the boundary: it stays there and carries no information.
        free = np.flatnonzero((np.arange(len(parameters)) < first_sd) | (np.exp(parameters) > BOUNDARY))
        hessian = _hessian(model, parameters, free)
        if np.linalg.eigvalsh(hessian).max() >= 0 or np.abs(parameters[beta]).max(initial=0) > SEPARATED:
            return Fit(parameters, None, value, False)
        if np.abs(gradient[free]).max() < GRADIENT:
            break
        parameters = parameters.copy()
        parameters[free] -= np.linalg.solve(hessian, gradient[free])
        value, gradient = model.evaluate(parameters)
    covariance = np.full((len(parameters), len(parameters)), np.nan)
    covariance[np.ix_(free, free)] = np.linalg.inv(-hessian)
    return Fit(parameters, covariance, value, bool(np.abs(gradient[free]).max() < 1e-3))


def _hessian(model: Laplace, parameters: FloatArray, free: IntArray) -> FloatArray:
    step = 1e-4
    rows = []
    for place in free:
        shift = np.zeros_like(parameters)
        shift[place] = step
        up, down = model.evaluate(parameters + shift)[1], model.evaluate(parameters - shift)[1]
        rows.append((up - down)[free] / (2 * step))
    hessian = np.array(rows)
    return np.asarray((hessian + hessian.T) / 2, dtype=np.float64)


def _summary(fit: Fit, null: Fit, present: Sequence[str], arms: Sequence[str], k: int, n_scores: int) -> Clmm:
    beta = fit.parameters[k : k + len(present) - 1]
    assert fit.covariance is not None
    errors = np.sqrt(np.diag(fit.covariance))[k : k + len(beta)]
    crossed = len(fit.parameters) - k - len(beta) > 2
    method = "Laplace, Wald" if crossed else f"Laplace, Wald, {CONDITIONAL}"
    log_odds: dict[str, Result] = {}
    standard_errors: dict[str, Number] = {}
    for arm in arms[1:]:
        if arm not in present:
            log_odds[arm] = standard_errors[arm] = Undefined("the arm has no scores")
            continue
        value, error = (float(values[present.index(arm) - 1]) for values in (beta, errors))
        log_odds[arm] = Estimate(value, value - Z * error, value + Z * error, method)
        standard_errors[arm] = error
    spread: list[Number] = [float(sd) if sd > BOUNDARY else 0.0 for sd in np.exp(fit.parameters[k + len(beta) :])]
    spread += [ABSENT] * (4 - len(spread))
    chi2 = max(0.0, 2 * (fit.log_likelihood - null.log_likelihood))
    ratio = LikelihoodRatio(chi2, len(beta), float(stats.chi2.sf(chi2, len(beta))))
    if not null.converged or not math.isfinite(chi2):
        gap = Undefined("the model without arms did not converge")
        ratio = LikelihoodRatio(gap, len(beta), gap)
    return Clmm(
        label=READERS_RANDOM if crossed else CONDITIONAL,
        reference=present[0],
        log_odds=log_odds,
        standard_errors=standard_errors,
        sd_slice=spread[0],
        sd_reader=spread[1],
        sd_slice_arm=spread[2],
        sd_reader_arm=spread[3],
        thresholds=tuple(float(theta) for theta in fit.parameters[:k]),
        log_likelihood=fit.log_likelihood,
        likelihood_ratio=ratio,
        n_scores=n_scores,
    )
