"""What a design must be before an order can be drawn, each refusal in one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from readerstudy.schedules.designs.sessions import reachable_gaps, session_lengths
from readerstudy.schedules.designs.types import KINDS, Design, DesignError, all_pairs, repeat_count, rounds_of

MOST_ARMS = 24
MOST_SLICES = 2000
MOST_READERS = 500


def check_design(design: Design) -> None:
    """Raises DesignError for the first thing that is wrong."""
    for problem in _problems(design):
        raise DesignError(problem)


def _problems(design: Design) -> Iterator[str]:
    if design.kind not in KINDS:
        yield f"The design {design.kind!r} is unknown; choose one of {', '.join(KINDS)}."
    least_arms = 1 if design.kind == "random" else 2
    if not least_arms <= design.arms <= MOST_ARMS:
        yield f"The {design.kind} design takes {least_arms} to {MOST_ARMS} arms; change {design.arms}."
    if not 1 <= len(design.slices) <= MOST_SLICES:
        yield f"An order takes 1 to {MOST_SLICES} slices, not {len(design.slices)}; change their number."
    keys = [s.key for s in design.slices]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        yield f"The slice {twice} stands in the list twice; remove one of them."
    if design.minimum_gap < 1:
        yield f"The gap between showings of a slice is {design.minimum_gap}; make it 1 or more."
    if not 1 <= design.readers + design.reserves <= MOST_READERS or design.readers < 1 or design.reserves < 0:
        yield (
            f"An order takes at least one reader and at most {MOST_READERS} with reserves, "
            f"not {design.readers} and {design.reserves}; change the numbers."
        )
    yield from _pair_problems(design)
    yield from _session_problems(design)
    yield from _repeat_problems(design)


def _pair_problems(design: Design) -> Iterator[str]:
    wanted = design.pairs_per_slice
    if wanted is None:
        return
    if design.kind != "pairwise":
        yield "Pairs per slice belong to a pairwise design; leave them out or choose that design."
    most = len(all_pairs(design.arms))
    if not design.arms - 1 <= wanted <= most:
        yield (
            f"{wanted} pairs per slice can't connect {design.arms} arms once each; choose {design.arms - 1} to {most}."
        )


def _session_problems(design: Design) -> Iterator[str]:
    rounds, slices = rounds_of(design), len(design.slices)
    if design.sessions < 1:
        yield f"A study takes at least one session, not {design.sessions}; change the number of sessions."
    if -(-design.sessions // rounds) > slices:
        yield (
            f"{design.sessions} sessions are more than {rounds * slices} presentations can fill; "
            f"use at most {rounds * slices} sessions."
        )


def _repeat_problems(design: Design) -> Iterator[str]:
    repeats = design.repeats
    if repeats < 0 or (isinstance(repeats, float) and not repeats <= 1):
        yield f"Repeats are {repeats}; give a share from 0.0 to 1.0 or a whole number of presentations."
    if not repeats:
        return
    if design.sessions == 1:
        yield "Repeats belong to a later session, but there is only one; add a session or leave repeats out."
    rounds, slices = rounds_of(design), len(design.slices)
    gap = reachable_gaps(rounds, slices, design.sessions, design.minimum_gap, repeat_count(design))[-1]
    most = sum(session_lengths(rounds, slices, design.sessions, gap)[:-1])
    if repeat_count(design) > most:
        yield (
            f"{repeat_count(design)} repeats are more than the {most} presentations before the last session; "
            f"ask for at most {most}."
        )
