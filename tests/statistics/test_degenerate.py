"""Data that define little or nothing: the right number or the reason, never NaN, infinity, or 1.0 by accident."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.csv_tables import MetricsTable
from readerstudy.statistics.table import ScoreTable
from tests.statistics.tables import rows, scores, table
from tests.statistics.test_analyse import METRICS, run


def hole(change: Any) -> np.ndarray:
    cube = scores(6, slices=12)
    change(cube)
    return cube


def erase(*place: Any) -> Any:
    return lambda cube: cube.__setitem__(place, np.nan)


EVERY = slice(None)
DEGENERATE = {
    "all equal": np.full((10, 3, 4), 5.0),
    "one slice": scores(1)[:1],
    "one reader": scores(1)[:, :, :1],
    "one arm": scores(1)[:, :1],
    "one score": np.full((1, 1, 1), 3.0),
    "reader without scores": hole(erase(EVERY, EVERY, 2)),
    "arm without scores": hole(erase(EVERY, 1)),
    "first arm without scores": hole(erase(EVERY, 0)),
    "no scores": hole(erase(EVERY)),
    "sparse": scores(7, slices=6, missing=0.7),
    "constant arms": np.broadcast_to(np.array([1.0, 2, 5])[None, :, None], (8, 3, 4)),
    "identical arms": scores(8, slices=10)[:, [0, 0, 0]],
    "identical readers": scores(8, slices=10)[:, :, [0, 0, 0]],
    "one dissenting score": np.where(np.arange(240).reshape(20, 3, 4) == 7, 4.0, 5.0),
}


@pytest.mark.parametrize("name", list(DEGENERATE))
@pytest.mark.filterwarnings("error")
def test_degenerate_data_give_strict_json_without_a_warning(name: str) -> None:
    cube = DEGENERATE[name]
    known = MetricsTable(METRICS.fid_med[: cube.shape[1]], METRICS.latency_ms[:1])
    found = run(table(cube), known, clmm=True)
    kappa = found["arms"]["arm0"]["agreement"]["fleiss_kappa"]
    varies = len(np.unique(cube[:, 0][np.isfinite(cube[:, 0])])) > 1
    several = np.isfinite(cube[:, 0]).sum(axis=1).max() > 1
    assert (kappa["value"] is not None) == (bool(varies) and bool(several))


def test_one_patient_has_no_interval_over_patients() -> None:
    found = run(table(scores(1), patients=("P",) * 40))
    pair, opinion = found["comparisons"][0], found["arms"]["arm0"]["opinion"]
    for estimate in (pair["mrmc"], pair["mean_difference"], opinion["mean_score_patients"]):
        assert estimate["value"] is not None and estimate["ci_low"] is None
        assert "patients: 1, at least 6" in estimate["method"]
    assert any("below 6" in warning for warning in found["warnings"])


def test_equal_scores_have_no_error_to_estimate() -> None:
    found = run(table(np.full((10, 2, 4), 5.0)))
    block = found["arms"]["arm0"]
    for estimate in (
        block["opinion"]["mean_score"],
        block["agreement"]["percent_agreement"],
        block["agreement"]["gwet_ac1"],
        found["comparisons"][0]["mean_difference"],
    ):
        assert estimate["value"] is not None and estimate["ci_low"] is None and "do not vary" in estimate["method"]


@pytest.mark.filterwarnings("error")
def test_repeats_only_and_a_form_of_one_category() -> None:
    repeats = run(ScoreTable.from_rows(rows(scores(1, slices=6), repeat=1)), clmm=True)
    assert repeats["arms"]["arm0"]["n_scores"] == 0 and repeats["intra_reader"]["R1"]["n_repeats"] == 0
    assert repeats["arms"]["arm0"]["opinion"]["mean_score"]["value"] is None
    one = analyse(table(np.full((6, 2, 3), 4.0)), None, [4], draws=50)["arms"]["arm0"]["agreement"]
    for name, value in one.items():
        if name.startswith(("fleiss_kappa", "conger", "kripp", "gwet", "kendall", "icc")) and "value" in value:
            assert value["value"] is None, name
    assert one["percent_agreement"]["value"] == 1.0
