"""Marks of the scored images and what the fidelity pass found: one section each of the statistics document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.lines import MarkLine
from readerstudy.analytics.summaries import undefined
from readerstudy.statistics.estimate import FloatArray, as_json
from readerstudy.statistics.intervals import MINIMUM_PATIENTS, Clusters
from readerstudy.statistics.ledger import Shown, StructureMarks, ledger
from readerstudy.statistics.rates import arm_rates, mark_agreement, rate_ratio

ANY = "any label"
NO_LABELS = "the protocol has no labels"
NOTHING_READ = "no image was read"
INVENTED = "invented structure"
GRAVE = "could change the report"
Cell = tuple[str, str, str]


def annotations_section(inputs: Inputs) -> dict[str, Any]:
    """Per label, and over all of them: marks per image read of each arm, their ratios, and readers' agreement.

    An image that was read and not marked counts as zero; repeats and the fidelity pass count nowhere here.
    """
    facts = inputs.facts
    if not facts.labels:
        return undefined(NO_LABELS)
    grid = Grid(images_read(inputs), [arm.key for arm in facts.arms], facts.readers)
    if not grid.slices:
        return undefined(NOTHING_READ)
    marks = [mark for mark in inputs.marks if mark.phase == "scores"]
    labels = [*facts.labels, *sorted({mark.label for mark in marks} - set(facts.labels))]
    found = {label: _of_label(grid, [mark for mark in marks if mark.label == label]) for label in labels}
    return {ANY: _of_label(grid, marks), **found}


def images_read(inputs: Inputs) -> dict[Cell, tuple[str, str]]:
    """(slice, arm, reader) of every image that was read at first reading, with its patient and modality."""
    primary = inputs.facts.primary_criterion
    read: dict[Cell, tuple[str, str]] = {}
    for line in inputs.scores_of(primary):
        if line.score and not line.repeat:
            read[line.slice, line.arm, line.reader] = (line.patient, line.modality)
    for pair in inputs.pairs_of(primary):
        if pair.choice and not pair.repeat:
            for arm in (pair.left, pair.right):
                read[pair.slice, arm, pair.reader] = (pair.patient, pair.modality)
    return read


class Grid:
    """The images read as cells (slices, arms, readers), and the patients as clusters of the slices."""

    def __init__(self, read: dict[Cell, tuple[str, str]], arms: Sequence[str], readers: Sequence[str]) -> None:
        patients = {cell[0]: patient for cell, (patient, _) in read.items()}
        self.slices = sorted(patients)
        self.arms = list(arms)
        self.readers = list(readers)
        self.clusters = Clusters.of_labels([patients[name] for name in self.slices], "patients", MINIMUM_PATIENTS)
        self._places = [{name: i for i, name in enumerate(axis)} for axis in (self.slices, self.arms, self.readers)]
        self._zeros = np.full(tuple(map(len, self._places)), np.nan)
        for cell in read:
            self._zeros[self.place(cell)] = 0.0

    def place(self, cell: Cell) -> tuple[int, ...]:
        return tuple(places[name] for places, name in zip(self._places, cell, strict=True))

    def counts(self, cells: Iterable[Cell]) -> FloatArray:
        """How often each cell occurs: NaN where the image was not read."""
        cube = self._zeros.copy()
        for cell, number in Counter(cells).items():
            cube[self.place(cell)] += number
        return cube


def _of_label(grid: Grid, marks: Sequence[MarkLine]) -> dict[str, Any]:
    cube = grid.counts((mark.slice, mark.arm, mark.reader) for mark in marks)
    pairs = combinations(range(len(grid.arms)), 2)
    return {
        "arms": as_json(arm_rates(cube, grid.arms, grid.clusters)),
        "ratios": [
            {
                "arms": [grid.arms[a], grid.arms[b]],
                "rate_ratio": as_json(rate_ratio(cube[:, a], cube[:, b], grid.clusters)),
            }
            for a, b in pairs
        ],
        "agreement": {arm: as_json(mark_agreement(cube[:, a], grid.clusters)) for a, arm in enumerate(grid.arms)},
    }


def fidelity_section(inputs: Inputs) -> dict[str, Any]:
    """The hallucination ledger: lost and invented structures per arm, of the images compared with their reference."""
    facts, shown = inputs.facts, [line for line in inputs.checks if line.done]
    if not shown:
        return undefined("no image was compared with its reference")
    rows = {(line.slice, line.arm, line.reader): number for number, line in enumerate(shown)}
    patients = {line.slice: line.patient for line in shown}
    slices, arms = sorted(patients), [arm.key for arm in facts.arms]
    marks = [mark for mark in inputs.marks if mark.phase == "fidelity" and (mark.slice, mark.arm, mark.reader) in rows]
    made = ledger(
        Shown(
            arms=np.array([arms.index(line.arm) for line in shown], dtype=np.int64),
            slices=np.array([slices.index(line.slice) for line in shown], dtype=np.int64),
            readers=np.array([facts.readers.index(line.reader) for line in shown], dtype=np.int64),
        ),
        StructureMarks(
            image=np.array([rows[mark.slice, mark.arm, mark.reader] for mark in marks], dtype=np.int64),
            invented=np.array([mark.label == INVENTED for mark in marks], dtype=np.bool_),
            changes_report=np.array([mark.consequence == GRAVE for mark in marks], dtype=np.bool_),
            confidence=np.array(
                [np.nan if mark.confidence is None else mark.confidence for mark in marks], dtype=np.float64
            ),
        ),
        arms,
        Clusters.of_labels([patients[name] for name in slices], "patients", MINIMUM_PATIENTS),
    )
    found: dict[str, Any] = as_json(made)
    return found
