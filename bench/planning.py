"""The planner's power against simulated studies and Hillis' formula: ``make bench SUITE=planning``.

Readers 3 to 15 x slices 20 to 400 x the three presets x effects of 20, 50, 80 and 90 % power, alone (alpha .05) and in
a family of 6. ``planner_from_studies_worst`` is at most 3 points, and so, from 5 readers on and alone,
``planner_from_formula_from_5_readers``; ``planners_formula_from_formula_worst`` is nothing: the
formula is written here from its source, in the parameters of Obuchowski and Rockette and with a noncentral F of its
own. The formula itself is far from the studies where few readers are tested at a strict level, since the analysis
estimates degrees of freedom that it takes as known. The studies are drawn score by score and analysed as the product
does; 10,000 a cell, so that their standard error is at most half a point.
"""

from __future__ import annotations

import math
import time

import numpy as np
from scipy import optimize, special, stats

from bench.report import Figure, main
from readerstudy.statistics.estimate import FloatArray
from readerstudy.statistics.planning import power
from readerstudy.statistics.planning_analysed import analysed_curve
from readerstudy.statistics.planning_document import PlanInputs, plan
from readerstudy.statistics.planning_model import PRESETS, Aim, VarianceComponents
from readerstudy.statistics.planning_simulation import simulated_power

READERS, SLICES, TARGETS = (3, 5, 8, 12, 15), (20, 50, 100, 200, 400), (0.2, 0.5, 0.8, 0.9)
LEVELS = (0.05, 0.05 / 6)
STUDIES = 10_000


def covariances(components: VarianceComponents, slices: int) -> tuple[float, float, float, float]:
    """Var, Cov1, Cov2 and Cov3 of the means over slices of two readers in two arms, from the covariance of scores."""
    arm, reader = np.repeat([0, 1], 2), np.tile([0, 1], 2)
    same_arm, same_reader = arm[:, None] == arm, reader[:, None] == reader
    scores = (
        components.slice
        + components.slice_arm * same_arm
        + components.slice_reader * same_reader
        + components.error * (same_arm & same_reader)
    )
    means = scores / slices
    return float(means[0, 0]), float(means[0, 2]), float(means[0, 1]), float(means[0, 3])


def noncentral_f(critical: float, df: float, noncentrality: float) -> float:
    """P(F > critical) with 1 and ``df`` degrees of freedom: beta distributions weighted by a Poisson distribution."""
    terms = np.arange(math.ceil(noncentrality / 2 + 20 * math.sqrt(noncentrality / 2) + 60))
    weights = stats.poisson.pmf(terms, noncentrality / 2)
    return float(1 - weights @ special.betainc(0.5 + terms, df / 2, critical / (critical + df)))


def hillis_power(components: VarianceComponents, effect: float, level: float, readers: int, slices: int) -> float:
    """Power of two arms, readers and cases random: Hillis, Obuchowski and Berbaum 2011, with Hillis' 2007 df."""
    var, cov1, cov2, cov3 = covariances(components, slices)
    shared = cov2 - cov3
    numerator = components.reader_arm + var - cov1 + (readers - 1) * shared
    df = numerator**2 / ((components.reader_arm + var - cov1 - shared) ** 2 / (readers - 1))
    noncentrality = readers * (effect**2 / 2) / numerator
    return noncentral_f(float(stats.f.isf(level, 1, df)), df, noncentrality)


def effect_for(components: VarianceComponents, level: float, readers: int, slices: int, target: float) -> float:
    grid = np.array([float(slices)])
    return float(
        optimize.brentq(
            lambda x: float(analysed_curve(components, Aim(x, alpha=level), readers, grid)[0]) - target, 0.0, 30.0
        )
    )


def cell(components: VarianceComponents, readers: int, slices: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """In points (levels, targets): planner's formula less formula, formula less studies, planner less studies."""
    aims = [
        Aim(effect_for(components, level, readers, slices, target), alpha=level)
        for level in LEVELS
        for target in TARGETS
    ]
    formula = np.array([hillis_power(components, aim.effect, aim.level, readers, slices) for aim in aims])
    simulated = simulated_power(components, aims, readers, slices, STUDIES, seed=1000 * readers + slices)
    found = [power(components, aim, readers, slices) for aim in aims]
    closed, own = np.array([p.closed_form for p in found]), np.array([p.power for p in found])
    shape = (len(LEVELS), len(TARGETS))
    parts = (closed - formula, formula - simulated, own - simulated)
    first, second, third = (100 * part.reshape(shape) for part in parts)
    return first, second, third


def run() -> dict[str, Figure]:
    formula_worst = planner_worst = between = 0.0
    apart: dict[tuple[int, int], float] = {}
    print("points at 20/50/80/90 %, alpha .05, then .05 / 6: formula - studies | planner - studies")
    for name, components in PRESETS.items():
        for readers in READERS:
            for slices in SLICES:
                same, formula, own = cell(components, readers, slices)
                formula_worst = max(formula_worst, float(np.abs(same).max()))
                planner_worst = max(planner_worst, float(np.abs(own).max()))
                if readers >= 5:
                    between = max(between, float(np.abs(own[0] - formula[0]).max()))
                for index in range(len(LEVELS)):
                    worst = float(np.abs(formula[index]).max())
                    apart[readers, index] = max(apart.get((readers, index), 0.0), worst)
                numbers = " | ".join(" ".join(f"{x:+5.1f}" for x in part.ravel()) for part in (formula, own))
                print(f"{name:9} {readers:3} readers {slices:4} slices  {numbers}", flush=True)
    start = time.perf_counter()
    plan(PlanInputs(PRESETS["differing"], Aim(0.31, comparisons=6), 6, 120, 4))
    elapsed = time.perf_counter() - start
    figures = {"planner_from_studies_worst": Figure(planner_worst, "points")}
    figures["planner_from_formula_from_5_readers"] = Figure(between, "points")
    figures["planners_formula_from_formula_worst"] = Figure(formula_worst, "points")
    figures |= {
        f"formula_from_studies_{readers}_readers{'_family_of_6' if index else ''}": Figure(worst, "points")
        for (readers, index), worst in sorted(apart.items(), key=lambda item: (item[0][1], item[0][0]))
    }
    figures["whole_plan_s"] = Figure(elapsed, "s")
    return figures


if __name__ == "__main__":
    main("planning", run)
