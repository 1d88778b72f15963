"""The planner's power against simulated studies: ``make bench SUITE=planning``.

Readers 3, 5, 8, 12 x slices 20, 50, 100, 200 x effects whose closed-form power is 20, 50, 80 and 90 %, at alpha .05:
the closed form (Hillis) and the power as analysed (degrees of freedom estimated) against 10,000 studies that are
simulated score by score and analysed as the product does; their standard error is at most half a point.
"""

from __future__ import annotations

import time

import numpy as np
from scipy import optimize

from bench.report import Figure, main
from readerstudy.statistics.planning import PRESETS, Aim, VarianceComponents, power, power_curve
from readerstudy.statistics.planning_document import PlanInputs, plan
from readerstudy.statistics.planning_simulation import simulated_power

READERS, SLICES, TARGETS = (3, 5, 8, 12), (20, 50, 100, 200), (0.2, 0.5, 0.8, 0.9)
STUDIES = 10_000


def effect_for(components: VarianceComponents, readers: int, slices: int, target: float) -> float:
    grid = np.array([float(slices)])
    return float(
        optimize.brentq(lambda x: float(power_curve(components, Aim(x), readers, grid)[0]) - target, 0.0, 10.0)
    )


def cell(components: VarianceComponents, readers: int, slices: int) -> tuple[np.ndarray, np.ndarray]:
    """Closed form minus simulation, and power as analysed minus simulation, in points, per target."""
    aims = [Aim(effect_for(components, readers, slices, target)) for target in TARGETS]
    simulated = simulated_power(components, aims, readers, slices, STUDIES, seed=1000 * readers + slices)
    found = [power(components, aim, readers, slices) for aim in aims]
    closed, exact = np.array([p.power for p in found]), np.array([p.as_analysed for p in found])
    return 100 * (closed - simulated), 100 * (exact - simulated)


def run() -> dict[str, Figure]:
    worst: dict[int, list[float]] = {readers: [] for readers in READERS}
    exact_worst: list[float] = []
    print("deviation from simulation in points at 20/50/80/90 %: closed form | as analysed")
    for name in ("typical", "agreeing"):
        for readers in READERS:
            for slices in SLICES:
                closed, exact = cell(PRESETS[name], readers, slices)
                worst[readers].append(float(np.abs(closed).max()))
                exact_worst.append(float(np.abs(exact).max()))
                numbers = " ".join(f"{x:+5.1f}" for x in closed) + " | " + " ".join(f"{x:+5.1f}" for x in exact)
                print(f"{name:9} {readers:3} readers {slices:4} slices  {numbers}", flush=True)
    start = time.perf_counter()
    plan(PlanInputs(PRESETS["differing"], Aim(0.31, comparisons=6), 6, 120, 4))
    elapsed = time.perf_counter() - start
    figures = {f"closed_form_worst_{n}_readers": Figure(max(values), "points") for n, values in worst.items()}
    figures["closed_form_worst_from_5_readers"] = Figure(max(max(worst[n]) for n in READERS if n >= 5), "points")
    figures["as_analysed_worst"] = Figure(max(exact_worst), "points")
    figures["whole_plan_s"] = Figure(elapsed, "s")
    return figures


if __name__ == "__main__":
    main("planning", run)
