"""Does anything about a frame's response, but its pixels, tell the arm? A classifier per arm and a permutation test.

Every byte of every header, every length and the timings are features. A ridge classifier learns "this arm or another"
on nine tenths of the slices and ranks the responses of the rest, so that what it may know of a slice never helps it;
its AUC is taken over all held-out responses. The test statistic is the largest AUC of all arms. Its distribution
without a leak comes from giving the arms' names within each slice to other presentations (a presentation keeps all its
responses, which are not independent of each other), the same for all arms, and doing everything again.

Timings are compared within a block only: the responses for one slice that were fetched one after the other, each arm
once, in random order. A machine that slows down slows whole blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
BYTES, FOLDS, PERMUTATIONS, RIDGE = 64, 10, 999, 10.0
# What the design asks for, and what a planted leak has to reach.
LARGEST_AUC, SMALLEST_P, PLANTED_AUC = 0.56, 0.01, 0.9


@dataclass(frozen=True)
class Response:
    """One frame fetched: what the bench knows (slice, arm, block) and what a reader's browser could measure."""

    slice: int
    arm: str
    presentation: str
    block: int
    status: int
    length: int
    headers: tuple[tuple[str, str], ...]
    first_byte: float
    total: float


@dataclass(frozen=True)
class Verdict:
    """The held-out AUC of each arm, and how often chance alone does as well as the largest."""

    auc: dict[str, float]
    p: float
    responses: int

    @property
    def largest(self) -> float:
        return max(self.auc.values())

    @property
    def leaks(self) -> bool:
        return self.largest > LARGEST_AUC or self.p <= SMALLEST_P

    def __str__(self) -> str:
        arms = ", ".join(f"{value:.3f}" for value in self.auc.values())
        return f"AUC per arm {arms}; p = {self.p:.3f} over {self.responses} responses"


def examine(responses: Sequence[Response], permutations: int = PERMUTATIONS, seed: int = 0) -> Verdict:
    """Train, cross-validate by slice and permute; the same responses and seed give the same verdict."""
    generator = np.random.default_rng(seed)
    arms = sorted({r.arm for r in responses})
    labels = np.array([arms.index(r.arm) for r in responses])
    slices = np.unique([r.slice for r in responses], return_inverse=True)[1]
    presentations = np.unique([r.presentation for r in responses], return_inverse=True)[1]
    # Column 0 holds the true arms, every further one a permutation of them.
    relabelled = [labels] + [permuted(labels, presentations, slices, generator) for _ in range(permutations)]
    truth = np.stack([[column == arm for column in relabelled] for arm in range(len(arms))]).astype(float)
    scores = held_out(features(responses), truth.reshape(-1, len(labels)).T, slices, generator)
    found = areas(scores, truth.reshape(-1, len(labels)).T).reshape(len(arms), -1)
    largest = found.max(axis=0)
    p = float((largest >= largest[0]).mean())
    return Verdict({arm: float(found[i, 0]) for i, arm in enumerate(arms)}, p, len(labels))


def permuted(labels: Numbers, presentations: Numbers, slices: Numbers, generator: np.random.Generator) -> Numbers:
    """The arms given to other presentations of the same slice, all responses of a presentation together."""
    first = np.unique(presentations, return_index=True)[1]
    arm_of, slice_of = labels[first], slices[first]
    mixed = np.lexsort((generator.random(len(first)), slice_of))
    shuffled = np.empty_like(arm_of)
    shuffled[np.argsort(slice_of, kind="stable")] = arm_of[mixed]
    return np.asarray(shuffled[presentations])


def features(responses: Sequence[Response]) -> Floats:
    """One row per response; a column that never changes says nothing and is left out."""
    plain = [np.array([r.status for r in responses], float), np.array([r.length for r in responses], float)]
    stacked = np.stack([*plain, *header_columns(responses), *timing_columns(responses)], axis=1)
    varying = stacked[:, np.ptp(stacked, axis=0) > 0]
    return np.asarray((varying - varying.mean(axis=0)) / varying.std(axis=0))


def header_columns(responses: Sequence[Response]) -> list[Floats]:
    """Of every header: presence, place, length, hash, and each of its first and last bytes."""
    names = sorted({name.lower() for r in responses for name, _ in r.headers})
    columns = [np.array([len(r.headers) for r in responses], float)]
    tables = [{name.lower(): (place, value) for place, (name, value) in enumerate(r.headers)} for r in responses]
    for name in names:
        held = [table.get(name, (-1, "")) for table in tables]
        values = [value.encode() for _, value in held]
        columns.append(np.array([place for place, _ in held], float))
        columns.append(np.array([len(value) for value in values], float))
        columns.append(np.array([int(hashlib.sha256(value).hexdigest()[:8], 16) for value in values], float))
        ends = [value[:BYTES].ljust(BYTES, b"\0") + value[-BYTES:].rjust(BYTES, b"\0") for value in values]
        columns += list(np.array([list(end) for end in ends], float).T)
    return columns


def timing_columns(responses: Sequence[Response]) -> list[Floats]:
    """Of each time its logarithm beside the block's median, and its rank in the block as flags (for any shape)."""
    blocks = np.unique([r.block for r in responses], return_inverse=True)[1]
    columns = []
    times = [
        [r.first_byte for r in responses],
        [r.total for r in responses],
        [r.total - r.first_byte for r in responses],
    ]
    for given in times:
        logs = np.log(np.maximum(np.array(given), 1e-7))
        beside, ranks = np.empty_like(logs), np.empty_like(logs)
        order = np.argsort(blocks, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(blocks[order])) + 1):
            beside[rows] = logs[rows] - np.median(logs[rows])
            ranks[rows] = np.argsort(np.argsort(logs[rows]))
        # One answer that took ten times as long must not outweigh a hundred others.
        columns.append(np.clip(beside, *np.percentile(beside, [1, 99])))
        columns += [(ranks == rank).astype(float) for rank in np.unique(ranks)]
    return columns


def held_out(table: Floats, truth: Floats, slices: Numbers, generator: np.random.Generator) -> Floats:
    """Predictions of a ridge classifier for slices it has not seen, for every column of ``truth`` at once."""
    fold_of = generator.permutation(np.arange(slices.max() + 1)) % FOLDS
    scores = np.empty_like(truth)
    for fold in range(FOLDS):
        test = fold_of[slices] == fold
        known, centre = table[~test], truth[~test].mean(axis=0)
        square = known.T @ known + RIDGE * np.eye(table.shape[1])
        scores[test] = table[test] @ np.linalg.solve(square, known.T @ (truth[~test] - centre))
    return scores


def areas(scores: Floats, truth: Floats) -> Floats:
    """The area under the ROC curve of every column; ties count a half."""
    found = np.empty(scores.shape[1])
    for column in range(scores.shape[1]):
        _, place, count = np.unique(scores[:, column], return_inverse=True, return_counts=True)
        ranks = (np.cumsum(count) - (count - 1) / 2)[place]
        yes = truth[:, column] > 0
        number = int(yes.sum())
        found[column] = (ranks[yes].sum() - number * (number + 1) / 2) / (number * (len(yes) - number))
    return found
