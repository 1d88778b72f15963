"""Did the readers know what they saw? Guesses of the method after the last session.

Recognising quality is not unblinding: a method that looks better is guessed by whoever knows the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import FloatArray, IntArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters, clustered_share, linearised

DONT_KNOW = -1
QUALITY_WARNING = (
    "Recognising quality is not unblinding: a share above chance may mean that a method looks better or "
    "worse, not that the blinding failed."
)


@dataclass(frozen=True)
class ArmBlinding:
    """Guesses for the images of one arm; ``bang_index`` is 0 at chance and 1 where every guess is right.

    "Don't know" counts as not correct in ``share_correct`` and is left out of ``share_correct_of_guesses``,
    which is the one that chance holds at 1 / number of arms.
    """

    n: int
    n_guessed: int
    share_correct: Result
    share_correct_of_guesses: Result
    bang_index: Result


@dataclass(frozen=True)
class Blinding:
    """``confusion``: true arm -> guessed arm or "don't know" -> count; ``chance`` is 1 / number of arms.

    ``share_correct_of_guesses`` is over all arms, clustered by reader.
    """

    chance: float
    share_correct_of_guesses: Result
    arms: dict[str, ArmBlinding]
    confusion: dict[str, dict[str, int]]
    warning: str


def blinding(truth: IntArray, guess: IntArray, readers: Sequence[str], arms: Sequence[str]) -> Blinding | Undefined:
    """Summary of guesses: true arm (n,), guessed arm (n,) or -1 for "don't know", reader of each guess (n,).

    Intervals are clustered by reader, since one reader's guesses share one idea of each method.
    """
    if len(arms) < 2:
        return Undefined("with fewer than two arms there is nothing to guess")
    labels = np.asarray(readers, dtype=object)
    summary = {}
    for place, arm in enumerate(arms):
        own = truth == place
        clusters = Clusters.of_labels([str(label) for label in labels[own]], "readers")
        summary[arm] = _of_arm(guess[own], place, len(arms), clusters)
    confusion = {
        arm: {
            name: int(((truth == place) & (guess == code)).sum())
            for code, name in [*enumerate(arms), (DONT_KNOW, "don't know")]
        }
        for place, arm in enumerate(arms)
    }
    everyone = Clusters.of_labels([str(label) for label in labels], "readers")
    return Blinding(1 / len(arms), _of_guesses(truth, guess, everyone), summary, confusion, QUALITY_WARNING)


def _of_guesses(truth: IntArray, guess: IntArray, clusters: Clusters) -> Result:
    """Share correct of those who guessed: true arms (n,) and guesses (n,)."""
    known = guess != DONT_KNOW
    if not known.any():
        return Undefined("nobody guessed")
    correct = (truth == guess)[known].astype(np.float64)
    return clustered_share(correct, np.ones(len(correct)), clusters.take(known))


def _of_arm(guess: IntArray, arm: int, k: int, clusters: Clusters) -> ArmBlinding:
    n = len(guess)
    if n == 0:
        gap = Undefined("no image of this arm was guessed")
        return ArmBlinding(0, 0, gap, gap, gap)
    correct = (guess == arm).astype(np.float64)
    return ArmBlinding(
        n=n,
        n_guessed=int((guess != DONT_KNOW).sum()),
        share_correct=clustered_share(correct, np.ones(n), clusters),
        share_correct_of_guesses=_of_guesses(np.full(n, arm), guess, clusters),
        bang_index=bang_index(guess, arm, k, clusters),
    )


def bang_index(guess: IntArray, arm: int, k: int, clusters: Clusters) -> Result:
    """Bang's index of one arm among k: P(right) - P(wrong) / (k - 1), "don't know" (-1) counting 0.

    For k = 2 it is Bang, Ni and Davis 2004: from -1 (all guess the other arm) over 0 (chance) to 1.
    """
    points: FloatArray = np.select([guess == arm, guess == DONT_KNOW], [1.0, 0.0], -1 / (k - 1))
    value = float(points.mean())
    return linearised(value, points - value, clusters, "linearised", (-1 / (k - 1), 1.0))
