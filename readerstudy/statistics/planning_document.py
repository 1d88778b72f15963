"""A whole plan from one set of inputs: numbers, curves, sentences and assumptions, for page, figure and command."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from readerstudy.statistics import planning
from readerstudy.statistics.estimate import Undefined
from readerstudy.statistics.planning import Power, ReadingTime, Saturation
from readerstudy.statistics.planning_analysed import analysed_curve
from readerstudy.statistics.planning_kappa import Form, KappaPrecision, half_width_kappa, kappa_saturation
from readerstudy.statistics.planning_model import Aim, VarianceComponents

APART = 0.01
FEW_READERS = 10
NICE = (10, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000)


@dataclass(frozen=True)
class PlanInputs:
    """What the coordinator decides or assumes; ``repeats`` is the share shown twice, ``seconds`` per score."""

    components: VarianceComponents
    aim: Aim
    readers: int
    slices: int
    arms: int = 2
    form: Form = field(default_factory=Form)
    criteria: int = 1
    seconds: float = 8.0
    repeats: float = 0.0


@dataclass(frozen=True)
class CurveRow:
    """Power as analysed and half-width of kappa over slices at one number of slices, per number of readers."""

    slices: int
    power: tuple[float, ...]
    kappa: tuple[float | None, ...]


@dataclass(frozen=True)
class PlanDocument:
    """Everything the planner says; ``curve`` has a column for each of ``curve_readers``."""

    inputs: PlanInputs
    power: Power
    level: float
    smallest_effect: float | None
    slices_needed: int | None
    saturation: Saturation
    kappa: KappaPrecision | Undefined
    kappa_saturation: Saturation | Undefined
    reading_time: ReadingTime
    curve_readers: tuple[int, ...]
    curve: tuple[CurveRow, ...]
    warnings: tuple[str, ...]
    assumptions: tuple[str, ...]


@lru_cache(maxsize=64)
def plan(inputs: PlanInputs) -> PlanDocument:
    """Raises PlanningError where the inputs carry no plan."""
    components, aim, readers, slices = inputs.components, inputs.aim, inputs.readers, inputs.slices
    power = planning.power(components, aim, readers, slices)
    columns = curve_readers(aim, readers)
    shown = round(inputs.slices * inputs.arms * (1 + inputs.repeats))
    return PlanDocument(
        inputs=inputs,
        power=power,
        level=aim.level,
        smallest_effect=planning.smallest_effect(components, aim, readers, slices),
        slices_needed=planning.slices_needed(components, aim, readers),
        saturation=planning.saturation(components, aim, readers),
        kappa=half_width_kappa(components, inputs.form, readers, slices),
        kappa_saturation=kappa_saturation(components, inputs.form, readers),
        reading_time=planning.reading_time(inputs.criteria, shown, inputs.seconds, readers),
        curve_readers=columns,
        curve=curve_rows(inputs, columns),
        warnings=_warnings(inputs, power),
        assumptions=_assumptions(inputs),
    )


def curve_readers(aim: Aim, readers: int) -> tuple[int, ...]:
    """The planned number of readers among some smaller and larger ones."""
    return tuple(sorted({max(2, readers - 2), readers, readers + 3, 2 * readers}))


def curve_slices(inputs: PlanInputs) -> list[int]:
    """Round numbers of slices up to about twice the planned one, and the planned one itself."""
    first = 2 * inputs.aim.design_effect
    top = max(200, 2 * inputs.slices)
    return sorted({n for n in NICE if first <= n <= top} | {inputs.slices})


def curve_rows(inputs: PlanInputs, columns: tuple[int, ...]) -> tuple[CurveRow, ...]:
    numbers = curve_slices(inputs)
    grid = np.array(numbers, dtype=np.float64)
    power = [analysed_curve(inputs.components, inputs.aim, readers, grid) for readers in columns]
    rows = []
    for index, slices in enumerate(numbers):
        precisions = [half_width_kappa(inputs.components, inputs.form, readers, slices) for readers in columns]
        kappa = tuple(None if isinstance(found, Undefined) else found.half_width for found in precisions)
        rows.append(CurveRow(slices, tuple(float(curve[index]) for curve in power), kappa))
    return tuple(rows)


def _warnings(inputs: PlanInputs, power: Power) -> tuple[str, ...]:
    found = []
    if abs(power.power - power.closed_form) > APART:
        found.append(
            f"Hillis' formula says {100 * power.closed_form:.0f} %: it takes the degrees of freedom as known, but the "
            f"analysis estimates them from {inputs.readers} readers, which makes it {100 * power.power:.0f} %."
        )
    if inputs.aim.readers == "fixed":
        found.append("With readers fixed the result holds for these readers only, not for others who might read.")
    elif inputs.readers < FEW_READERS:
        found.append(
            f"{inputs.readers} readers are few to speak for all readers: the plan depends strongly on the assumed "
            "reader x arm variance."
        )
    return tuple(found)


def _assumptions(inputs: PlanInputs) -> tuple[str, ...]:
    aim, form = inputs.aim, inputs.form
    test = (
        "Obuchowski-Rockette with Hillis' degrees of freedom, readers and slices random"
        if aim.readers == "random"
        else "paired t on slice means, these readers only"
    )
    names = {"superiority": "two-sided", "non-inferiority": "one-sided", "equivalence": "each of two one-sided tests"}
    share = aim.level / 2 if aim.kind == "non-inferiority" else aim.level
    family = f"{aim.comparisons} comparison{'' if aim.comparisons == 1 else 's'}, correction: {aim.correction}" + (
        " (planned as Bonferroni, its guaranteed least)" if aim.correction == "holm" else ""
    )
    found = [
        f"Test of one pair of arms: {test}; {names[aim.kind]} at {share:.4g} ({family}).",
        *(
            ["Power is that of the test with its degrees of freedom estimated from the scores, as the analysis does."]
            if aim.readers == "random"
            else []
        ),
        "Every reader scores every slice in every arm; no score is missing.",
        "Scores are arm + slice + reader + slice x arm + reader x arm + slice x reader + error, all but the arm "
        "random, normal and independent.",
        f"Kappa: 300 simulated studies of one arm, scores {form.lowest} to {form.highest} with mean {form.mean:g}, "
        "rounded from normal values; its interval is Gwet's over slices.",
    ]
    if aim.design_effect > 1:
        found.append(
            f"Slices of one patient are alike: {inputs.slices} slices count as "
            f"{inputs.slices / aim.design_effect:.0f} in the power (design effect {aim.design_effect:.2f})."
        )
    else:
        found.append("Slices are independent: one per patient, or patients whose slices are no more alike than others.")
    found.append(
        f"Reading: {inputs.criteria} criteri{'on' if inputs.criteria == 1 else 'a'} x "
        f"{round(inputs.slices * inputs.arms * (1 + inputs.repeats)):,} images x {inputs.seconds:g} s, without breaks."
    )
    return tuple(found)
