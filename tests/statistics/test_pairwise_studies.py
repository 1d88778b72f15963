"""Bradley-Terry, guesses of the method, and rates of annotations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from readerstudy.statistics.blinding import blinding
from readerstudy.statistics.bradley_terry import BradleyTerry, Judgements, bradley_terry, circular_triads
from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters, wilson
from readerstudy.statistics.rates import arm_rates, mark_agreement, rate_ratio
from tests.statistics.tables import scores, uniforms

# Stigler 1994, citations between journals, as in Agresti: (i, j, i cited by j, j cited by i).
JOURNALS = ["Biometrika", "Comm Statist", "JASA", "JRSS-B"]
CITATIONS = [
    (0, 1, 730, 33),
    (0, 2, 498, 320),
    (0, 3, 221, 284),
    (1, 2, 68, 813),
    (1, 3, 17, 276),
    (2, 3, 142, 325),
]


def judgements(rows: list[tuple[int, int, int]], readers: int = 5, slices: int = 20) -> Judgements:
    """Rows of left, right, outcome, dealt to readers and slices in turn."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    place = np.arange(len(rows), dtype=np.int64)
    return Judgements(table[:, 0], table[:, 1], table[:, 2], place // readers % slices, place % readers)


def test_citations_between_journals() -> None:
    """Abilities printed for these data: 0, -2.9491, -0.4796, 0.2690 (sides balanced, so no bias)."""
    rows = []
    for i, j, wins, losses in CITATIONS:
        for outcome, times in ((1, wins), (-1, losses)):
            rows += [(i, j, outcome), (j, i, -outcome)] * times
    found = bradley_terry(judgements(rows), JOURNALS)
    assert isinstance(found, BradleyTerry) and isinstance(found.log_tie, Undefined)
    values = [each.value for each in found.log_ability.values() if isinstance(each, Estimate)]
    assert [round(value, 4) for value in values] == [0.0, -2.9491, -0.4796, 0.2690]
    assert isinstance(found.side_bias, Estimate) and abs(found.side_bias.value) < 1e-6


def test_recovers_abilities_ties_and_side_bias() -> None:
    draw = uniforms(5)
    ability, tie, side = np.array([0.0, 0.8, -0.6]), -0.3, 0.5
    rows = []
    for k in range(6000):
        left, right = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)][k % 6]
        weights = np.exp([ability[left] + side, ability[right], tie + (ability[left] + ability[right] + side) / 2])
        rows.append((left, right, (1, -1, 0)[int(np.searchsorted(np.cumsum(weights / weights.sum()), draw()))]))
    found = bradley_terry(judgements(rows, readers=12, slices=500), ["a", "b", "c"])
    assert isinstance(found, BradleyTerry)
    truth = [
        *zip(found.log_ability.values(), ability, strict=True),
        (found.log_tie, tie),
        (found.side_bias, side),
    ]
    for estimate, value in truth[1:]:
        assert isinstance(estimate, Estimate) and estimate.value == pytest.approx(value, abs=0.15)
        assert estimate.ci_low is not None and estimate.ci_low < value < (estimate.ci_high or 0)


def test_an_arm_that_never_wins() -> None:
    found = bradley_terry(judgements([(0, 1, 1), (1, 0, -1), (0, 1, 1)]), ["a", "b"])
    assert isinstance(found, Undefined) and "b never won" in found.reason
    assert isinstance(bradley_terry(judgements([]), ["a", "b"]), Undefined)


def test_circular_triads_are_counted_within_reader_and_slice() -> None:
    circle = [(0, 1, 1), (1, 2, 1), (0, 2, -1)]
    line = [(0, 1, 1), (1, 2, 1), (0, 2, 1)]
    table = np.array([*circle, *line, (0, 1, 1), (1, 2, 0), (0, 2, 1)], dtype=np.int64)
    group = np.repeat(np.arange(3), 3)
    found = circular_triads(Judgements(table[:, 0], table[:, 1], table[:, 2], group, np.zeros(9, dtype=np.int64)))
    assert (found.count, found.triples) == (1, 2)
    assert isinstance(found.share, Estimate) and found.share.value == 0.5 and "one reader" in found.share.method


def test_share_of_circular_triads_is_clustered_by_slice_and_reader() -> None:
    """20 slices x 5 readers, circles of every reader on the first four slices."""
    rows = [
        (left, right, 1 if (left, right) != (0, 2) else (-1 if slice_ < 4 else 1), slice_, reader)
        for slice_ in range(20)
        for reader in range(5)
        for left, right in ((0, 1), (1, 2), (0, 2))
    ]
    found = circular_triads(Judgements(*np.array(rows, dtype=np.int64).T))
    assert (found.count, found.triples) == (20, 100)
    plain = wilson(20, 100)
    assert isinstance(found.share, Estimate) and isinstance(plain, Estimate)
    assert found.share.ci_low is not None and plain.ci_low is not None and found.share.ci_low < plain.ci_low - 0.05


def test_bang_index() -> None:
    """Two arms with 82 right, 27 wrong, 170 don't know, and 29, 25, 83 (the CRISP trial's shape)."""
    guess = np.concatenate([np.repeat([0, 1, -1], [82, 27, 170]), np.repeat([1, 0, -1], [29, 25, 83])])
    truth = np.repeat([0, 1], [279, 137])
    readers = [f"P{k}" for k in range(416)]
    found = blinding(truth, guess, readers, ["drug", "placebo"])
    assert not isinstance(found, Undefined) and found.confusion["drug"]["don't know"] == 170
    index = found.arms["drug"].bang_index
    assert isinstance(index, Estimate) and index.value == pytest.approx((82 - 27) / 279)
    error = np.sqrt((82 / 279 + 27 / 279 - index.value**2) / 278)
    assert index.ci_high == pytest.approx(index.value + stats.t.ppf(0.975, 278) * error)


@pytest.mark.parametrize(("guess", "expected"), [(0, 1.0), (1, -1 / 3), (-1, 0.0)])
def test_bang_index_of_four_arms(guess: int, expected: float) -> None:
    found = blinding(np.zeros(20, dtype=np.int64), np.full(20, guess), ["R1", "R2"] * 10, list("abcd"))
    assert not isinstance(found, Undefined) and found.chance == 0.25
    index = found.arms["a"].bang_index
    assert isinstance(index, Estimate) and index.value == pytest.approx(expected)
    assert isinstance(found.arms["b"].share_correct, Undefined)


def test_dont_knows_are_no_wrong_guesses() -> None:
    """20 right, 10 wrong, 30 don't know: two thirds of those who guessed, one third of all."""
    guess = np.repeat([0, 1, -1], [20, 10, 30])
    readers = [f"R{k % 6}" for k in range(60)]
    found = blinding(np.zeros(60, dtype=np.int64), guess, readers, ["a", "b"])
    assert not isinstance(found, Undefined) and (found.arms["a"].n, found.arms["a"].n_guessed) == (60, 30)
    for share, value in (
        (found.arms["a"].share_correct, 1 / 3),
        (found.arms["a"].share_correct_of_guesses, 2 / 3),
        (found.share_correct_of_guesses, 2 / 3),
    ):
        assert isinstance(share, Estimate) and share.value == pytest.approx(value)
        assert share.ci_low is not None and share.ci_low < value
    silent = blinding(np.zeros(6, dtype=np.int64), np.full(6, -1), readers[:6], ["a", "b"])
    assert not isinstance(silent, Undefined) and isinstance(silent.share_correct_of_guesses, Undefined)


def test_rates_count_unmarked_images() -> None:
    cube = np.zeros((30, 2, 4))
    cube[:6, 0] = 1
    cube[:12, 1] = 1
    cube[0, 1, 0] = np.nan
    clusters = Clusters.of_units(30)
    rates = arm_rates(cube, ["a", "b"], clusters)
    assert isinstance(rates["a"].rate, Estimate) and rates["a"].rate.value == pytest.approx(0.2)
    assert (rates["b"].marks, rates["b"].images) == (47, 119)
    ratio = rate_ratio(cube[:, 0], cube[:, 1], clusters)
    assert isinstance(ratio, Estimate) and ratio.value == pytest.approx(47 / 119 / 0.2)
    left_out = [
        rate_ratio(*(np.delete(cube[:, arm], s, axis=0) for arm in (0, 1)), Clusters.of_units(29)) for s in range(30)
    ]
    logs = np.log([each.value for each in left_out if isinstance(each, Estimate)])
    error = np.sqrt(29 / 30 * ((logs - logs.mean()) ** 2).sum())
    assert ratio.ci_high is not None
    assert np.log(ratio.ci_high / ratio.value) / stats.t.ppf(0.975, 3) == pytest.approx(error, rel=0.1)
    assert isinstance(rate_ratio(cube[:, 0] * 0, cube[:, 1], clusters), Undefined)
    assert isinstance(arm_rates(cube * np.nan, ["a", "b"], clusters)["a"].rate, Undefined)


def test_mark_agreement() -> None:
    counts = (scores(1)[:, 0] > 3).astype(np.float64) * 2
    found = mark_agreement(counts, Clusters.of_units(40))
    by_hand = np.mean([[a == b for a in row for b in row] for row in counts > 0])
    assert isinstance(found.percent_agreement, Estimate)
    assert found.percent_agreement.value == pytest.approx((by_hand * 25 - 5) / 20)
    nobody = mark_agreement(np.zeros((10, 4)), Clusters.of_units(10))
    assert isinstance(nobody.fleiss_kappa, Undefined)
    assert isinstance(nobody.gwet_ac1, Estimate) and nobody.gwet_ac1.value == 1.0
