"""What holds for every table: no order of readers, slices or labels matters, and bounds are kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from readerstudy.statistics.analyse import analyse
from tests.statistics.tables import table
from tests.statistics.test_analyse import estimates

FORM = [1, 2, 3, 4, 5]
CELLS = st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, float("nan")])
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 4))
CUBES = arrays.arrays(np.float64, SHAPES, elements=CELLS)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def document(cube: np.ndarray) -> dict[str, Any]:
    return analyse(table(cube), None, FORM, 0, 40, clmm=False)


def same(a: Any, b: Any) -> bool:
    """Equal to 1e-9: another order of summation changes the last bits."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-9 * (1 + abs(a))
    return bool(a == b)


PAIRS = {"pairwise_weighted_kappa_linear", "pairwise_weighted_kappa_quadratic"}


def agreement(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block["agreement"].items() if name not in PAIRS}


@QUICK
@given(CUBES, st.randoms(use_true_random=False))
def test_order_of_slices_and_readers(cube: np.ndarray, random: Any) -> None:
    slices, readers = list(range(cube.shape[0])), list(range(cube.shape[2]))
    random.shuffle(slices)
    random.shuffle(readers)
    first, second = document(cube), document(cube[slices][:, :, readers])
    for arm in first["arms"]:
        assert same(agreement(first["arms"][arm]), agreement(second["arms"][arm]))
        assert same(first["arms"][arm]["opinion"], second["arms"][arm]["opinion"])
    assert same(agreement(first["pooled"]), agreement(second["pooled"]))
    assert same(first["comparisons"], second["comparisons"])
    assert same(first["omnibus"], second["omnibus"])


@QUICK
@given(CUBES, st.randoms(use_true_random=False))
def test_labels_of_the_categories(cube: np.ndarray, random: Any) -> None:
    """Nominal coefficients do not know the order of the categories."""
    labels = list(range(1, 6))
    random.shuffle(labels)
    renamed = np.where(np.isnan(cube), np.nan, np.array(labels)[np.nan_to_num(cube, nan=1).astype(int) - 1])
    first, second = (document(each)["arms"]["arm0"]["agreement"] for each in (cube, renamed))
    for name in ("percent_agreement", "conger_kappa", "gwet_ac1"):
        assert same(first[name], second[name])
    for name in ("fleiss_kappa", "krippendorff_alpha_nominal"):
        assert same(first[name]["value"], second[name]["value"])
    for category, label in zip(FORM, labels, strict=True):
        per_category = first["fleiss_kappa_per_category"][str(category)]["value"]
        assert same(per_category, second["fleiss_kappa_per_category"][str(label)]["value"])


@QUICK
@given(CUBES)
def test_bounds_and_strict_json(cube: np.ndarray) -> None:
    found = document(cube)
    json.dumps(found, allow_nan=False)
    for block in (*found["arms"].values(), found["pooled"]):
        for name, value in agreement(block).items():
            if name == "icc_2_1" or name == "icc_2_k":
                continue
            for estimate in estimates({name: value}):
                low = 0.0 if name in ("percent_agreement", "kendall_w") else -1.0
                # With gaps alpha and Gwet's forms may fall below -1 on tables as small as these.
                if low == 0.0 or (name == "conger_kappa" and not np.isnan(cube).any()):
                    assert low - 1e-9 <= estimate["value"], name
                assert estimate["value"] <= 1 + 1e-9, name
                if estimate["ci_low"] is not None and not name.startswith("krippendorff"):
                    assert estimate["ci_low"] - 1e-9 <= estimate["value"] <= estimate["ci_high"] + 1e-9, name
        mean = block["opinion"]["mean_score"]["value"]
        assert mean is None or 1 <= mean <= 5
    for pair in found["comparisons"]:
        if pair["vgc_area"]["value"] is not None:
            assert -1e-12 <= pair["vgc_area"]["value"] <= 1 + 1e-12
        for p in (pair["paired_t"]["p"], pair["wilcoxon"]["p_holm"], pair["mrmc"].get("p")):
            assert not isinstance(p, float) or 0 <= p <= 1


@QUICK
@given(CUBES)
def test_turned_pairs_turn_sign(cube: np.ndarray) -> None:
    forward, backward = document(cube[:, :2])["comparisons"], document(cube[:, :2][:, ::-1])["comparisons"]
    for a, b in zip(forward, backward, strict=True):
        for name in ("mean_difference", "mrmc"):
            if a[name]["value"] is not None:
                assert same(a[name]["value"], -b[name]["value"] + 0.0)
        if a["vgc_area"]["value"] is not None:
            assert same(a["vgc_area"]["value"], 1 - b["vgc_area"]["value"])
        assert same(a["wilcoxon"], b["wilcoxon"])
