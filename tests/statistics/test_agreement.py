"""Agreement against published worked examples and against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from readerstudy.statistics.agreement import (
    agreement_weights,
    codes_of,
    count_table,
    fleiss_columns,
    fleiss_kappa,
    fleiss_per_category,
    fleiss_with_bootstrap,
    fleiss_z,
    gwet_ac,
    percent_agreement,
)
from readerstudy.statistics.bootstrap import resample_counts
from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.pairwise import conger_kappa, pairwise_weighted_kappa
from tests.statistics.tables import CLMM_TABLES, scores

FORM = [1, 2, 3, 4, 5]
NAN = float("nan")
# Fleiss 1971: 30 patients, 6 psychiatrists, 5 diagnoses.
FLEISS_ROWS = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
FLEISS = np.array(
    [[int(cell) for cell in row] for row in FLEISS_ROWS.split()],
    dtype=np.float64,
)
# Krippendorff's 4 observers x 12 units, which Gwet uses too.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T


def units(n: int) -> Clusters:
    return Clusters.of_units(n)


def counts_of(table: np.ndarray) -> np.ndarray:
    return count_table(codes_of(table, FORM), len(FORM))


def test_fleiss_1971() -> None:
    kappa, z = fleiss_kappa(FLEISS, units(30)), fleiss_z(FLEISS)
    assert isinstance(kappa, Estimate) and round(kappa.value, 3) == 0.430
    assert kappa.value == pytest.approx(0.430245, abs=5e-7) and z == pytest.approx(17.65183, abs=5e-6)
    per_category = fleiss_per_category(FLEISS, FORM, units(30))
    values = [round(e.value, 3) for e in per_category.values() if isinstance(e, Estimate)]
    assert values == [0.245, 0.245, 0.520, 0.471, 0.566]


def test_gwet_with_gaps() -> None:
    """Gwet's analysis of the 4 x 12 table, as printed in irrCAC's vignette."""
    counts = counts_of(KRIPPENDORFF)
    assert_estimate(percent_agreement(counts, units(12)), 0.8181818, None)
    assert_estimate(fleiss_kappa(counts, units(12)), 0.76117, (0.4244, 1.0))
    assert_estimate(gwet_ac(counts, agreement_weights(FORM, 0), units(12)), 0.77544, (0.4608, 1.0))


# Gwet's table of 4 raters x 12 subjects as irrCAC carries it (its last subject was scored by rater 3), and what
# his package prints: percent agreement, coefficient, standard error, lower bound; every upper bound is cut at 1.
GWET = KRIPPENDORFF.copy()
GWET[11] = [NAN, NAN, 3, NAN]
GWET_PRINTED = {
    "conger": (0.76282, 0.14917, 0.4345),
    "fleiss": (0.76117, 0.15302, 0.42438),
    "ac1": (0.77544, 0.14295, 0.46081),
}


@pytest.mark.parametrize("coefficient", list(GWET_PRINTED))
def test_gwets_four_raters(coefficient: str) -> None:
    counts = counts_of(GWET)
    found = {
        "conger": conger_kappa(codes_of(GWET, FORM), 5, units(12)),
        "fleiss": fleiss_kappa(counts, units(12)),
        "ac1": gwet_ac(counts, agreement_weights(FORM, 0), units(12)),
    }[coefficient]
    value, error, low = GWET_PRINTED[coefficient]
    assert isinstance(found, Estimate) and found.ci_low is not None and found.ci_high == 1.0
    assert found.value == pytest.approx(value, abs=5.1e-6) and found.ci_low == pytest.approx(low, abs=5.1e-5)
    assert (found.value - found.ci_low) / stats.t.ppf(0.975, 11) == pytest.approx(error, abs=5.1e-6)


# Recorded from irrCAC 0.4.4 (oracles/irrcac.py), CAC(table, weights, categories=[1, ..., 5]): value and interval.
IRRCAC = {
    ("4 x 12", "conger"): (0.762066893651, 0.431679663303, 1.0),
    ("4 x 12", "ac2 quadratic"): (0.914000723552, 0.685181365878, 1.0),
    ("gaps", "conger"): (0.126843597051, -0.007380566523, 0.261067760625),
    ("gaps", "fleiss"): (0.117248173491, -0.020253426264, 0.254749773246),
    ("gaps", "ac1"): (0.323825980758, 0.221357712857, 0.426294248659),
    ("gaps", "ac2 linear"): (0.676945180755, 0.603199431708, 0.750690929802),
    ("gaps", "ac2 quadratic"): (0.861435768613, 0.810742768376, 0.912128768850),
    ("full", "conger"): (0.084930999352, 0.018017064017, 0.151844934686),
    ("full", "fleiss"): (0.055521566228, -0.020287017199, 0.131330149655),
    ("full", "ac1"): (0.261849261849, 0.181650072411, 0.342048451287),
    ("four raters", "ac2 linear"): (0.858739136433, 0.600499700425, 1.0),
    ("poor readers", "conger"): (-0.033754877176, -0.108202556111, 0.040692801758),
    ("poor readers", "fleiss"): (-0.053986727366, -0.133044387389, 0.025070932658),
    ("poor readers", "ac1"): (0.045438953935, -0.031576751523, 0.122454659393),
    ("poor readers", "ac2 linear"): (0.338788175235, 0.235642707375, 0.441933643096),
    ("poor readers", "ac2 quadratic"): (0.552780416793, 0.429806519474, 0.675754314111),
    ("ceiling", "ac2 linear"): (0.638463591585, 0.576047387705, 0.700879795465),
    ("ceiling", "ac2 quadratic"): (0.842144925237, 0.799207100450, 0.885082750024),
}
TABLES = {
    "4 x 12": KRIPPENDORFF,
    "four raters": GWET,
    "gaps": scores(3, missing=0.2)[:, 1],
    "full": scores(2)[:, 0],
    "poor readers": CLMM_TABLES["poor readers, gaps"]()[:, 1],
    "ceiling": CLMM_TABLES["ceiling"]()[:, 0],
}


@pytest.mark.parametrize(("name", "coefficient"), list(IRRCAC), ids=str)
def test_irrcac(name: str, coefficient: str) -> None:
    table = TABLES[name][np.isfinite(TABLES[name]).any(axis=1)]
    own, counts = units(len(table)), counts_of(table)
    found = {
        "conger": conger_kappa(codes_of(table, FORM), 5, own),
        "fleiss": fleiss_kappa(counts, own),
        "ac1": gwet_ac(counts, agreement_weights(FORM, 0), own),
        "ac2 linear": gwet_ac(counts, agreement_weights(FORM, 1), own),
        "ac2 quadratic": gwet_ac(counts, agreement_weights(FORM, 2), own),
    }[coefficient]
    assert isinstance(found, Estimate)
    recorded = IRRCAC[name, coefficient]
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx(recorded, abs=1e-9)


def assert_estimate(found: object, value: float, interval: tuple[float, float] | None) -> None:
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(value, abs=6e-6)
    if interval is not None:
        assert (found.ci_low, found.ci_high) == pytest.approx(interval, abs=6e-5)


@pytest.mark.parametrize("seed", range(1, 6))
def test_fleiss_equals_statsmodels(seed: int) -> None:
    counts = counts_of(scores(seed)[:, 0])
    found = fleiss_kappa(counts, units(len(counts)))
    assert isinstance(found, Estimate) and abs(found.value - statsmodels_fleiss(counts)) < 1e-9


def test_bootstrap_equals_looping_statsmodels() -> None:
    counts = counts_of(scores(1)[:, 0])
    found = fleiss_with_bootstrap(counts, units(len(counts)), seed=3, draws=200)
    ordered = counts[np.lexsort(fleiss_columns(counts).T[::-1])]
    (resamples,) = resample_counts(len(counts), 3, 200)
    looped = [statsmodels_fleiss(np.repeat(ordered, draw.astype(int), axis=0)) for draw in resamples]
    assert not isinstance(found, Undefined) and not isinstance(found.bootstrap, Undefined)
    assert found.bootstrap == pytest.approx(np.quantile(looped, [0.025, 0.975]), abs=1e-12)


def test_two_readers_conger_is_cohen_and_weights_matter() -> None:
    """Cohen's kappa of 2 readers, and psych::cohen.kappa's weighted ones as oracles/agreement.R prints them."""
    table = scores(1)[:, 1, :2]
    codes = codes_of(table, FORM)
    confusion = np.array([[np.sum((codes[:, 0] == i) & (codes[:, 1] == j)) for j in range(5)] for i in range(5)])
    share = confusion / confusion.sum()
    expected = share.sum(axis=1) @ share.sum(axis=0)
    conger = conger_kappa(codes, 5, units(len(codes)))
    assert isinstance(conger, Estimate)
    assert conger.value == pytest.approx((np.trace(share) - expected) / (1 - expected), abs=1e-12)
    # Value and Fleiss, Cohen and Everitt's error, which vcd prints too; ours divides by n - 1.
    recorded = {1: (0.190404797601, 0.102825969843), 2: (0.333333333333, 0.108841427029)}
    for power, (value, error) in recorded.items():
        found = pairwise_weighted_kappa(codes, ["R1", "R2"], FORM, power, units(len(codes)))["R1-R2"]
        assert isinstance(found, Estimate) and found.value == pytest.approx(value, abs=1e-9)
        assert found.ci_high is not None
        ours = (found.ci_high - found.value) / stats.t.ppf(0.975, 39) * np.sqrt(39 / 40)
        assert ours == pytest.approx(error, abs=1e-9)


def test_conger_of_fleiss_like_table_lies_near_fleiss() -> None:
    """Without gaps Gwet's form equals the mean over pairs of the chance terms, counted one by one."""
    codes = codes_of(scores(2)[:, 0], FORM)
    shares = np.array([[np.mean(codes[:, r] == k) for k in range(5)] for r in range(5)])
    chance = np.mean([shares[i] @ shares[j] for i in range(5) for j in range(5) if i != j])
    observed = percent_agreement(count_table(codes, 5), units(len(codes)))
    found = conger_kappa(codes, 5, units(len(codes)))
    assert isinstance(observed, Estimate) and isinstance(found, Estimate)
    assert found.value == pytest.approx((observed.value - chance) / (1 - chance), abs=1e-12)


@pytest.mark.parametrize("value", [1.0, 3.0, 5.0])
def test_all_equal_scores(value: float) -> None:
    counts = counts_of(np.full((10, 5), value))
    ac1 = gwet_ac(counts, agreement_weights(FORM, 0), units(10))
    assert isinstance(ac1, Estimate) and ac1.value == 1.0
    kappa = fleiss_kappa(counts, units(10))
    assert isinstance(kappa, Undefined) and "one category" in kappa.reason
    unused = fleiss_per_category(counts, FORM, units(10))
    assert all(isinstance(each, Undefined) for each in unused.values())


def test_one_reader_has_no_agreement() -> None:
    counts = counts_of(scores(1)[:, 0, :1])
    found = percent_agreement(counts, units(len(counts)))
    assert isinstance(found, Undefined) and "two scores" in found.reason
