"""Pairwise studies: Bradley-Terry abilities with Davidson's ties and a side bias, and circular triads.

Of a pair shown left and right, log weights are a_left + s (left wins), a_right (right wins) and
t + (a_left + a_right + s) / 2 (equal). Sources: Bradley and Terry 1952; Davidson 1970; Davidson and
Beaver 1977.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import csgraph

from readerstudy.statistics.estimate import FloatArray, IntArray, Result, Undefined, without_interval
from readerstudy.statistics.intervals import Clusters, two_way, two_way_share

STEPS = 100
TOLERANCE = 1e-12
LEFT, EQUAL, RIGHT = 1, 0, -1


@dataclass(frozen=True, eq=False)
class Judgements:
    """One row per judged pair: arms shown left and right, and who won (1 left, 0 equal, -1 right)."""

    left: IntArray
    right: IntArray
    outcome: IntArray
    slices: IntArray
    readers: IntArray


@dataclass(frozen=True)
class CircularTriads:
    """Triples of arms that one reader, on one slice, put in a circle, of all triples judged without a tie."""

    count: int
    triples: int
    share: Result


@dataclass(frozen=True)
class BradleyTerry:
    """Log abilities against ``reference`` (0), log tie parameter, log side bias (positive: left wins)."""

    reference: str
    log_ability: dict[str, Result]
    log_tie: Result
    side_bias: Result
    circular_triads: CircularTriads
    n: int


def bradley_terry(
    judgements: Judgements, arms: Sequence[str], clusters: Clusters | None = None
) -> BradleyTerry | Undefined:
    """Maximum likelihood with intervals clustered by slice (or ``clusters`` of the rows) and reader.

    Undefined where some arms never lose to, or never meet, the others: no maximum is finite.
    """
    reason = _disconnected(judgements, arms)
    if reason is not None:
        return Undefined(reason)
    ties = bool((judgements.outcome == EQUAL).any())
    design = _design(judgements, len(arms), ties)
    chosen = np.select([judgements.outcome == LEFT, judgements.outcome == RIGHT], [0, 1], 2)
    beta, influence = _maximise(design, chosen)
    if beta is None or influence is None:
        return Undefined("the likelihood has no finite maximum: every judgement went to one side")
    if clusters is None:
        clusters = Clusters.of_labels([str(s) for s in judgements.slices], "slices")
    readers, n_readers = (
        np.unique(judgements.readers, return_inverse=True)[1],
        len(np.unique(judgements.readers)),
    )

    def estimate(column: int) -> Result:
        return two_way(
            float(beta[column]),
            influence[:, column],
            clusters,
            readers.astype(np.int64),
            n_readers,
            "sandwich",
        )

    k = len(arms) - 1
    abilities: dict[str, Result] = {arms[0]: without_interval(0.0, "the arm is the reference")}
    abilities.update((arm, estimate(column)) for column, arm in enumerate(arms[1:]))
    return BradleyTerry(
        reference=arms[0],
        log_ability=abilities,
        log_tie=estimate(k + 1) if ties else Undefined("no pair was judged equal"),
        side_bias=estimate(k),
        circular_triads=circular_triads(judgements, clusters),
        n=len(judgements.outcome),
    )


def _disconnected(judgements: Judgements, arms: Sequence[str]) -> str | None:
    """Ford's condition: in every split of the arms each side has won (or tied) against the other."""
    if len(arms) < 2 or not len(judgements.outcome):
        return "no pair of arms was judged"
    won = np.zeros((len(arms), len(arms)))
    left, right, outcome = judgements.left, judgements.right, judgements.outcome
    np.add.at(won, (left[outcome >= 0], right[outcome >= 0]), 1)
    np.add.at(won, (right[outcome <= 0], left[outcome <= 0]), 1)
    parts, label = csgraph.connected_components(won, directed=True, connection="strong")
    if parts == 1:
        return None
    alone = [arm for arm, part in zip(arms, label, strict=True) if part != label[0]]
    names = ", ".join(alone)
    return f"{names} never won, never lost or never met the other arms, so that abilities are infinite"


def _design(judgements: Judgements, arms: int, ties: bool) -> FloatArray:
    """Coefficients (rows, outcomes, parameters): arms but the first, side bias and, with ties, tie."""
    n = len(judgements.outcome)
    ability = np.zeros((n, 3, arms))
    row = np.arange(n)
    ability[row, 0, judgements.left] = 1
    ability[row, 1, judgements.right] = 1
    ability[row, 2, judgements.left] = ability[row, 2, judgements.right] = 0.5
    side = np.broadcast_to(np.array([1.0, 0.0, 0.5])[None, :, None], (n, 3, 1))
    tie = np.broadcast_to(np.array([0.0, 0.0, 1.0])[None, :, None], (n, 3, 1))
    if ties:
        return np.concatenate([ability[:, :, 1:], side, tie], axis=2)
    return np.concatenate([ability[:, :2, 1:], side[:, :2]], axis=2)


def _maximise(design: FloatArray, chosen: IntArray) -> tuple[FloatArray | None, FloatArray | None]:
    """Newton's method on the concave likelihood; parameters and each row's influence on them."""
    beta = np.zeros(design.shape[2])
    row = np.arange(len(chosen))
    for _ in range(STEPS):
        log_weight = design @ beta
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        p = weight / weight.sum(axis=1, keepdims=True)
        expected = (p[:, :, None] * design).sum(axis=1)
        score = design[row, chosen] - expected
        centred = design - expected[:, None, :]
        information = np.einsum("no,noa,nob->ab", p, centred, centred)
        if np.linalg.cond(information) > 1e12:
            return None, None
        step = np.linalg.solve(information, score.sum(axis=0))
        if float(step @ information @ step) < TOLERANCE:
            return beta, np.asarray(np.linalg.solve(information, score.T).T, dtype=np.float64)
        beta = beta + step / max(1.0, float(np.abs(step).max()))
    return None, None


def circular_triads(judgements: Judgements, clusters: Clusters | None = None) -> CircularTriads:
    """Count circles a > b > c > a within each reader and slice; of a pair shown twice the last counts.

    The share's interval is clustered by slice (or ``clusters`` of the rows) and reader.
    """
    if clusters is None:
        clusters = Clusters.of_labels([str(s) for s in judgements.slices], "slices")
    winners: dict[tuple[int, int], dict[frozenset[int], int]] = {}
    judged: dict[tuple[int, int], int] = {}
    for row, (left, right, outcome, slice_, reader) in enumerate(
        zip(
            judgements.left.tolist(),
            judgements.right.tolist(),
            judgements.outcome.tolist(),
            judgements.slices.tolist(),
            judgements.readers.tolist(),
            strict=True,
        )
    ):
        judged[slice_, reader] = row
        own = winners.setdefault((slice_, reader), {})
        own.pop(frozenset((left, right)), None)
        if outcome != EQUAL:
            own[frozenset((left, right))] = left if outcome == LEFT else right
    triples: list[tuple[bool, int, int]] = []
    for (slice_, reader), own in winners.items():
        for triple in combinations(sorted({arm for pair in own for arm in pair}), 3):
            won = [own.get(frozenset(pair)) for pair in combinations(triple, 2)]
            if None not in won:
                triples.append((len(set(won)) == 3, judged[slice_, reader], reader))
    if not triples:
        return CircularTriads(0, 0, Undefined("no triple of arms was judged without a tie"))
    circles, rows, readers = (np.array(column) for column in zip(*triples, strict=True))
    own_readers = np.unique(readers, return_inverse=True)[1].astype(np.int64)
    count = int(own_readers.max()) + 1
    share = two_way_share(circles, clusters.of_rows(rows), own_readers, count)
    return CircularTriads(int(circles.sum()), len(triples), share)
