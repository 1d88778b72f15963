"""The images behind a number: which slices to look at, worst first, and why; arithmetic on the lines alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from readerstudy.analytics.definitions import Definition
from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.lines import CANNOT_JUDGE, ImageLine, ScoreLine
from readerstudy.analytics.slice_metrics import HIGHER_IS_BETTER

MOST = 6
MIDDLE = 3


@dataclass(frozen=True)
class Scope:
    """What a number's path narrows the images to; empty means all."""

    arms: tuple[str, ...] = ()
    modality: str = ""
    reader: str = ""
    metric: str = ""
    label: str = ""
    criterion: str = ""


@dataclass(frozen=True)
class Shown:
    """One slice, the arms to show of it, and in a few words why it is here."""

    slice: str
    arms: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Strip:
    title: str
    images: list[Shown]


def scope_of(path: Sequence[str], document: Mapping[str, Any]) -> Scope:
    """The scope of a number; a path that names nothing leaves everything in."""
    study = document["study"]
    arms = {arm["key"] for arm in study["arms"]}
    named = tuple(part for part in path if part in arms)
    for number, pair in zip(path[1:], path, strict=False):
        if pair in ("comparisons", "plan_comparisons", "ratios") and number.isdecimal():
            found = _pair_at(path[: path.index(number) + 1], document)
            named = tuple(found) if found else named
    return Scope(
        arms=named,
        modality=next((part for part in path if part in document["modalities"]), ""),
        reader=next((part for part in path if part in study["readers"]), ""),
        metric=next((part for part in path if part in HIGHER_IS_BETTER), ""),
        label=path[1] if path[0] == "annotations" and len(path) > 1 else "",
        criterion=path[1] if path[0] in ("secondary", "pairs") and len(path) > 1 else "",
    )


def _pair_at(path: Sequence[str], document: Any) -> list[str]:
    try:
        for key in path:
            document = document[int(key)] if isinstance(document, list) else document[key]
        return [str(arm) for arm in document["arms"]]
    except (KeyError, IndexError, TypeError, ValueError):
        return []


def strips(definition: Definition, scope: Scope, inputs: Inputs) -> list[Strip]:
    """The slices worth a look for this number, in a few strips; none where nothing was scored."""
    kinds: dict[str, Callable[[Scope, Inputs], list[Strip]]] = {
        "arm": _of_arm, "pair": _of_pair, "reader": _of_reader, "metric": _of_metric, "label": _of_label,
        "fidelity": _of_fidelity, "pairs": _of_choices,
    }  # fmt: skip
    found = kinds.get(definition.strips, _of_arm)(scope, inputs)
    return [strip for strip in found if strip.images]


class _Scores:
    """First scores on one criterion by slice and arm, within a scope."""

    def __init__(self, scope: Scope, inputs: Inputs) -> None:
        criterion = scope.criterion or inputs.facts.primary_criterion
        self.cells: dict[tuple[str, str], dict[str, float]] = {}
        for line in inputs.scores_of(criterion):
            if _counts(line) and (not scope.modality or line.modality == scope.modality):
                self.cells.setdefault((line.slice, line.arm), {})[line.reader] = float(line.score)

    def of(self, arm: str) -> dict[str, dict[str, float]]:
        return {name: given for (name, own), given in self.cells.items() if own == arm}

    @property
    def means(self) -> dict[tuple[str, str], float]:
        return {cell: float(np.mean(list(given.values()))) for cell, given in self.cells.items()}


def _counts(line: ScoreLine) -> bool:
    return not line.repeat and line.score not in ("", CANNOT_JUDGE)


def _of_arm(scope: Scope, inputs: Inputs) -> list[Strip]:
    """Largest disagreement, worst, best and median images of the arm, or of all arms."""
    scores = _Scores(scope, inputs)
    cells = {cell: given for cell, given in scores.cells.items() if not scope.arms or cell[1] in scope.arms}
    spread = {cell: float(np.std(list(given.values()))) for cell, given in cells.items()}
    means = {cell: mean for cell, mean in scores.means.items() if cell in cells}
    told = {cell: _told(given) for cell, given in cells.items()}
    split = {cell: value for cell, value in spread.items() if value > 0}
    return [
        Strip("Readers differ most", _cells(_first(split, largest=True), told)),
        Strip("Median mean score", _cells(_middle(means), told)),
        Strip("Lowest mean score", _cells(_first(means, largest=False), told)),
        Strip("Highest mean score", _cells(_first(means, largest=True), told)),
    ]


def _of_pair(scope: Scope, inputs: Inputs) -> list[Strip]:
    """Where the later arm beats the earlier most, the other way round, the median, and where PSNR says otherwise."""
    if len(scope.arms) != 2:
        return _of_arm(scope, inputs)
    first, second = scope.arms
    scores, titles = _Scores(scope, inputs), {arm.key: arm.title for arm in inputs.facts.arms}
    means = scores.means
    both = {s: means[s, second] - means[s, first] for s, arm in means if arm == first and (s, second) in means}
    told = {s: f"{means[s, first]:.2f} against {means[s, second]:.2f}" for s in both}

    def shown(names: Iterable[str]) -> list[Shown]:
        return [Shown(name, (first, second), told[name]) for name in names]

    ahead = {s: d for s, d in both.items() if d > 0}
    behind = {s: d for s, d in both.items() if d < 0}
    return [
        Strip(f"{titles[second]} furthest ahead", shown(_first(ahead, largest=True))),
        Strip(f"{titles[first]} furthest ahead", shown(_first(behind, largest=False))),
        Strip("Median difference", shown(_middle(both))),
        *_disagreeing(replaced(scope, "psnr"), inputs),
    ]


def replaced(scope: Scope, metric: str) -> Scope:
    return Scope(scope.arms, scope.modality, scope.reader, metric, scope.label, scope.criterion)


def _of_metric(scope: Scope, inputs: Inputs) -> list[Strip]:
    return _disagreeing(scope, inputs) + _of_arm(scope, inputs)[:1]


def _disagreeing(scope: Scope, inputs: Inputs) -> list[Strip]:
    """Pairs of arms within a slice that the metric and the readers order against each other, widest first."""
    sign = 1 if HIGHER_IS_BETTER.get(scope.metric, True) else -1
    values = {
        (line.slice, line.arm): sign * value
        for line in inputs.images
        if (value := _metric(line, scope.metric)) is not None
    }
    means = _Scores(scope, inputs).means
    arms = scope.arms or tuple(arm.key for arm in inputs.facts.compared())
    titles = {arm.key: arm.title for arm in inputs.facts.arms}
    found: dict[tuple[str, str, str], float] = {}
    for name in {cell[0] for cell in means}:
        for i, a in enumerate(arms):
            for b in arms[i + 1 :]:
                if {(name, a), (name, b)} <= values.keys() & means.keys():
                    apart = means[name, b] - means[name, a]
                    if apart * (values[name, b] - values[name, a]) < 0:
                        found[name, a, b] = abs(apart)
    word = scope.metric.replace("_", " ").upper() if len(scope.metric) < 6 else "feature distance"
    images = [
        Shown(name, (a, b), f"{word} prefers {titles[b if means[name, b] < means[name, a] else a]}, readers do not")
        for name, a, b in _first(found, largest=True)
    ]
    return [Strip("Metric and readers order apart", images)]


def _metric(line: ImageLine, metric: str) -> float | None:
    value: float | None = getattr(line, metric or "psnr")
    return value


def _of_reader(scope: Scope, inputs: Inputs) -> list[Strip]:
    """Where the reader lies furthest above and below the mean of all readers."""
    scores = _Scores(scope, inputs)
    means = scores.means
    apart = {
        cell: given[scope.reader] - means[cell]
        for cell, given in scores.cells.items()
        if scope.reader in given and (not scope.arms or cell[1] in scope.arms)
    }
    told = {cell: f"{scores.cells[cell][scope.reader]:g}, mean {means[cell]:.2f}" for cell in apart}
    above, below = ({c: d for c, d in apart.items() if sign * d > 0} for sign in (1, -1))
    return [
        Strip(f"{scope.reader} furthest above the others", _cells(_first(above, largest=True), told)),
        Strip(f"{scope.reader} furthest below the others", _cells(_first(below, largest=False), told)),
    ]


def _of_label(scope: Scope, inputs: Inputs) -> list[Strip]:
    marks = Counter(
        (mark.slice, mark.arm)
        for mark in inputs.marks
        if mark.phase == "scores"
        and (scope.label in (mark.label, "any label"))
        and (not scope.arms or mark.arm in scope.arms)
    )
    told = {cell: f"{n} mark{'' if n == 1 else 's'}" for cell, n in marks.items()}
    return [Strip("Most marks", _cells(_first(dict(marks), largest=True), told))]


def _of_fidelity(scope: Scope, inputs: Inputs) -> list[Strip]:
    """Images with lost or invented structures, those that could change a report first."""
    weights: Counter[tuple[str, str]] = Counter()
    told: dict[tuple[str, str], str] = {}
    for mark in inputs.marks:
        if mark.phase == "fidelity" and (not scope.arms or mark.arm in scope.arms):
            cell = (mark.slice, mark.arm)
            weights[cell] += 100 if mark.consequence == "could change the report" else 1
            words = [mark.label, mark.consequence if mark.consequence != "none" else ""]
            told[cell] = ", ".join(word for word in words if word)
    return [Strip("Lost and invented structures", _cells(_first(dict(weights), largest=True), told))]


def _of_choices(scope: Scope, inputs: Inputs) -> list[Strip]:
    """Slices on which readers chose most unlike each other."""
    choices: dict[tuple[str, str, str], list[int]] = {}
    for line in inputs.pairs_of(scope.criterion or inputs.facts.primary_criterion):
        if line.choice in ("left", "right", "equal") and not line.repeat:
            a, b = sorted((line.left, line.right))
            winner = {"left": line.left, "right": line.right}.get(line.choice)
            choices.setdefault((line.slice, a, b), []).append({a: 1, b: -1}.get(winner or "", 0))
    if scope.arms:
        choices = {key: given for key, given in choices.items() if set(scope.arms) & set(key[1:])}
    spread = {key: float(np.std(given)) for key, given in choices.items() if np.std(given) > 0}
    return [
        Strip(
            "Readers choose most unlike each other",
            [
                Shown(name, (a, b), f"{choices[name, a, b].count(1)} to {choices[name, a, b].count(-1)}")
                for name, a, b in _first(spread, largest=True)
            ],
        )
    ]


def _cells(cells: Iterable[tuple[str, str]], told: Mapping[tuple[str, str], str]) -> list[Shown]:
    return [Shown(cell[0], (cell[1],), told[cell]) for cell in cells]


def _told(given: Mapping[str, float]) -> str:
    return ", ".join(f"{score:g}" for _, score in sorted(given.items()))


def _first(values: Mapping[Any, float], *, largest: bool) -> list[Any]:
    """The keys with the largest (or smallest) values; equal ones in the order of their names."""
    ordered = sorted(values, key=lambda key: (-values[key] if largest else values[key], key))
    return ordered[:MOST]


def _middle(values: Mapping[Any, float]) -> list[Any]:
    ordered = sorted(values, key=lambda key: (values[key], key))
    start = max(0, (len(ordered) - MIDDLE) // 2)
    return ordered[start : start + MIDDLE]
