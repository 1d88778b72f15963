"""A part of a study's readings: by modality, reader and session; its numbers are exploratory."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.http import QueryDict

from readerstudy.accounts.models import User
from readerstudy.analytics.compute import compute
from readerstudy.analytics.inputs import Inputs, inputs_of
from readerstudy.analytics.lines import PairLine, ScoreLine
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.pooling import PoolError, pooled_inputs
from readerstudy.analytics.queries import analyst_study, latest_snapshot
from readerstudy.analytics.summaries import undefined
from readerstudy.statistics.table import TableError

DRAWS = 500


class FilterError(ValueError):
    """A filter that the study does not know, in one sentence."""


@dataclass(frozen=True)
class Filter:
    """What is kept; empty keeps all. ``pooled``: together with the study that this one extends."""

    modalities: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    sessions: tuple[int, ...] = ()
    pooled: bool = False

    def __bool__(self) -> bool:
        return bool(self.modalities or self.readers or self.sessions or self.pooled)

    @property
    def query(self) -> str:
        pairs = [("modality", name) for name in self.modalities] + [("reader", name) for name in self.readers]
        pairs += [("session", str(number)) for number in self.sessions]
        return urlencode(pairs + ([("pooled", "1")] if self.pooled else []))

    @property
    def words(self) -> str:
        """The filter as a person says it."""
        parts = ["pooled with the study it extends" if self.pooled else ""]
        parts += [", ".join(self.modalities), ", ".join(self.readers)]
        if self.sessions:
            parts.append("session " + ", ".join(map(str, self.sessions)))
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class Choices:
    modalities: tuple[str, ...]
    readers: tuple[str, ...]
    sessions: tuple[int, ...]


def choices(inputs: Inputs) -> Choices:
    lines: list[ScoreLine | PairLine] = [*inputs.scores, *inputs.pairs]
    return Choices(
        tuple(sorted({line.modality for line in lines})),
        tuple(inputs.facts.readers),
        tuple(sorted({line.session for line in lines})),
    )


def filter_from(query: QueryDict, offered: Choices) -> Filter:
    """The filter of an address; raises ``FilterError`` naming what the study does not have."""
    asked = {name: tuple(dict.fromkeys(query.getlist(name))) for name in ("modality", "reader", "session")}
    known = {
        "modality": offered.modalities,
        "reader": offered.readers,
        "session": tuple(map(str, offered.sessions)),
    }
    for name, values in asked.items():
        if wrong := [value for value in values if value not in known[name]]:
            raise FilterError(
                f"This study has no {name} “{wrong[0][:40]}”: choose among {', '.join(known[name]) or 'none'}."
            )
    # Everything chosen is nothing left out.
    kept = {name: () if len(values) == len(known[name]) else values for name, values in asked.items()}
    numbers = tuple(int(number) for number in kept["session"])
    return Filter(kept["modality"], kept["reader"], numbers, query.get("pooled") == "1")


def narrowed(inputs: Inputs, chosen: Filter) -> Inputs:
    """The inputs of the part; metrics of images are narrowed by modality alone."""

    def keep(line: Any) -> bool:
        return (
            (not chosen.modalities or line.modality in chosen.modalities)
            and (not chosen.readers or line.reader in chosen.readers)
            and (not chosen.sessions or getattr(line, "session", chosen.sessions[0]) in chosen.sessions)
        )

    sets = inputs.sets
    if chosen.modalities:
        # A distance of several modalities together is no mean of theirs: only one modality has its own.
        alone = chosen.modalities[0] if len(chosen.modalities) == 1 else None
        own = [line for line in sets if line.modality in chosen.modalities]
        sets = tuple([replace(line, modality="") for line in own if line.modality == alone] + own)
    readers = [name for name in inputs.facts.readers if not chosen.readers or name in chosen.readers]
    scores = tuple(filter(keep, inputs.scores))
    # An arm that nobody read in this part has no score that its distance could go with.
    read = {line.arm for line in scores}
    return replace(
        inputs,
        facts=replace(inputs.facts, readers=readers, draws=DRAWS),
        scores=scores,
        pairs=tuple(filter(keep, inputs.pairs)),
        marks=tuple(filter(keep, inputs.marks)),
        checks=tuple(filter(keep, inputs.checks)),
        guesses=tuple(filter(keep, inputs.guesses)),
        sets=tuple(line for line in sets if line.arm in read),
        images=tuple(line for line in inputs.images if not chosen.modalities or line.modality in chosen.modalities),
    )


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document of an older version with the sections that it did not have, as not computed."""
    absent = undefined("this snapshot was computed by an older version: compute again")
    empty: dict[str, Any] = {"pairs": {}, "ladders": {}, "reading": {}, "sensitivity": {}}
    return {**empty, **dict.fromkeys(("annotations", "fidelity", "blinding"), absent), **document}


@dataclass(frozen=True)
class Part:
    """What an address asks of a snapshot: the numbers and the lines of the part, and what could be chosen."""

    document: dict[str, Any]
    inputs: Inputs
    chosen: Filter
    offered: Choices


def part_of(snapshot: Snapshot, query: QueryDict, user: User | AnonymousUser) -> Part:
    """The part; without a filter the snapshot itself. Raises ``FilterError``, also where nothing is left.

    Pooled numbers are for those who may see both studies; everyone else gets a 404.
    """
    pooled = query.get("pooled") == "1"
    if pooled and snapshot.study.extends_id:
        analyst_study(user, snapshot.study.extends_id)
    inputs = _inputs(snapshot, pooled)
    offered = choices(inputs)
    chosen = filter_from(query, offered)
    if not chosen:
        return Part(complete(json.loads(snapshot.statistics)), inputs, chosen, offered)
    try:
        return Part(_computed(str(snapshot.pk), chosen), narrowed(inputs, chosen), chosen, offered)
    except TableError as error:
        raise FilterError(f"Nothing was read in this part ({chosen.words}): choose a larger one.") from error


def _inputs(snapshot: Snapshot, pooled: bool) -> Inputs:
    """The snapshot's inputs, or those of both studies; raises ``FilterError`` where there is nothing to pool with."""
    own = inputs_of(snapshot.statistics, snapshot.tables)
    if not pooled:
        return own
    extended = snapshot.study.extends
    other = latest_snapshot(extended) if extended and extended.state == extended.State.UNBLINDED else None
    if other is None:
        raise FilterError("There is nothing to pool with: the study must extend one that is unblinded and computed.")
    try:
        return pooled_inputs(inputs_of(other.statistics, other.tables), own)
    except PoolError as error:
        raise FilterError(str(error)) from error


@lru_cache(maxsize=8)
def _computed(pk: str, chosen: Filter) -> dict[str, Any]:
    """The statistics of a part, kept for the figures that come after the page."""
    snapshot = Snapshot.objects.get(pk=pk)
    return compute(narrowed(_inputs(snapshot, chosen.pooled), chosen), mixed_models=False)
