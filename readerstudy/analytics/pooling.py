"""An extension together with the study that it extends: the same slices, the arms and readers of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from readerstudy.analytics.inputs import Inputs

PREFIX = "E-"


class PoolError(ValueError):
    """Why two studies can't be pooled, in one sentence."""


def pooled_inputs(first: Inputs, extension: Inputs) -> Inputs:
    """Both as one; readers of the extension get names of their own (E-R1), arms of both stand once.

    Raises ``PoolError`` where an arm, the primary criterion or the scale means something else in the two.
    """
    one, two = first.facts, extension.facts
    if one.pairwise or two.pairwise:
        raise PoolError("Pairs are not pooled: look at the two studies one after the other.")
    if one.primary_criterion != two.primary_criterion or one.categories != two.categories:
        raise PoolError("The two studies score different questions or scales, so that their scores can't be pooled.")
    known = {arm.key: arm for arm in one.arms}
    for arm in two.arms:
        if arm.key in known and (arm.method, arm.levels) != (known[arm.key].method, known[arm.key].levels):
            raise PoolError(f"The arm {arm.key} is another method or level in the extension: it can't be pooled.")
    added = [arm for arm in two.arms if arm.key not in known]
    keys = {arm.key for arm in added}
    facts = replace(
        two,
        title=f"{two.title}, pooled with {one.title}",
        arms=[*one.arms, *added],
        criteria={**one.criteria, **two.criteria},
        readers=[*one.readers, *(PREFIX + name for name in two.readers)],
        labels=list(dict.fromkeys([*one.labels, *two.labels])),
        simulated=one.simulated or two.simulated,
        left=[*one.left, *(PREFIX + name for name in two.left)],
    )
    return replace(
        first,
        facts=facts,
        sets=first.sets + tuple(line for line in extension.sets if line.arm in keys),
        images=first.images + tuple(line for line in extension.images if line.arm in keys),
        scores=first.scores + _renamed(extension.scores),
        marks=first.marks + _renamed(extension.marks),
        checks=first.checks + _renamed(extension.checks),
        guesses=first.guesses + _renamed(extension.guesses),
        sessions=first.sessions + _renamed(extension.sessions),
        records=first.records + _renamed(extension.records),
    )


def _renamed(lines: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(replace(line, reader=PREFIX + line.reader) for line in lines)
