"""What a pairwise study says: abilities of the arms, who won against whom, and readers' consistency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.lines import CANNOT_JUDGE, PairLine
from readerstudy.statistics.bradley_terry import EQUAL, LEFT, RIGHT, Judgements, bradley_terry
from readerstudy.statistics.estimate import Result, Undefined, as_json
from readerstudy.statistics.intervals import MINIMUM_PATIENTS, Clusters, wilson

OUTCOMES = {"left": LEFT, "equal": EQUAL, "right": RIGHT}


def pairs_section(inputs: Inputs) -> dict[str, Any]:
    """Per criterion, over all modalities and in each: Davidson's model, wins, and agreement with oneself."""
    arms = [arm.key for arm in inputs.facts.arms]
    return {key: _of_criterion(inputs.pairs_of(key), arms) for key in inputs.facts.criteria}


def _of_criterion(lines: Sequence[PairLine], arms: Sequence[str]) -> dict[str, Any]:
    judged = [line for line in lines if not line.repeat and line.choice in OUTCOMES]
    modalities = sorted({line.modality for line in judged})
    return {
        "n_planned": sum(not line.repeat for line in lines),
        "n_judged": len(judged),
        "n_cannot_judge": sum(line.choice == CANNOT_JUDGE and not line.repeat for line in lines),
        "bradley_terry": _model(judged, arms),
        "wins": wins(judged, arms),
        "consistency": _consistency(lines),
        "modalities": {name: _model([line for line in judged if line.modality == name], arms) for name in modalities},
    }


def _model(judged: Sequence[PairLine], arms: Sequence[str]) -> dict[str, Any]:
    if not judged:
        return {"value": None, "undefined": "no pair was judged"}
    place = {arm: index for index, arm in enumerate(arms)}
    slices, readers = (
        np.unique([getattr(line, name) for line in judged], return_inverse=True)[1] for name in ("slice", "reader")
    )
    judgements = Judgements(
        left=np.array([place[line.left] for line in judged]),
        right=np.array([place[line.right] for line in judged]),
        outcome=np.array([OUTCOMES[line.choice] for line in judged]),
        slices=slices.astype(np.int64),
        readers=readers.astype(np.int64),
    )
    patients = Clusters.of_labels([line.patient for line in judged], "patients", MINIMUM_PATIENTS)
    found: dict[str, Any] = as_json(bradley_terry(judgements, arms, patients))
    return found


def wins(judged: Sequence[PairLine], arms: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Row arm against column arm: how often it won, was equal and lost."""
    table = {a: {b: {"won": 0, "equal": 0, "lost": 0} for b in arms if b != a} for a in arms}
    for line in judged:
        for own, other, side in ((line.left, line.right, "left"), (line.right, line.left, "right")):
            outcome = "equal" if line.choice == "equal" else "won" if line.choice == side else "lost"
            table[own][other][outcome] += 1
    return table


def _consistency(lines: Sequence[PairLine]) -> dict[str, Any]:
    """Share of pairs that a reader judged alike when they came again, with the sides swapped."""
    first = {_pair(line): _winner(line) for line in lines if not line.repeat and line.choice in OUTCOMES}
    found: dict[str, Any] = {}
    for reader in dict.fromkeys(line.reader for line in lines):
        again = [line for line in lines if line.repeat and line.reader == reader and line.choice in OUTCOMES]
        both = [(first[_pair(line)], _winner(line)) for line in again if _pair(line) in first]
        share: Result = Undefined("the reader judged no pair twice")
        if both:
            share = wilson(sum(one == two for one, two in both), len(both))
        found[reader] = {"n_repeats": len(both), "same_choice_share": as_json(share)}
    return found


def _pair(line: PairLine) -> tuple[str, str, frozenset[str]]:
    return line.slice, line.reader, frozenset((line.left, line.right))


def _winner(line: PairLine) -> str:
    return {"left": line.left, "right": line.right}.get(line.choice, "equal")
