"""The contract of ``analyse``: its shape, and its numbers recomputed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.csv_tables import FidRow, MetricsTable, read_metrics, read_scores
from readerstudy.statistics.table import ScoreTable, TableError
from tests.statistics.independent_recompute import recompute
from tests.statistics.tables import rows, scores, table

FORM = [1, 2, 3, 4, 5]
BLOCK = {"n_slices", "n_readers", "n_scores", "agreement", "opinion"}
AGREEMENT = {
    *("percent_agreement", "fleiss_kappa", "fleiss_kappa_per_category", "conger_kappa"),
    *(f"krippendorff_alpha_{level}" for level in ("nominal", "ordinal", "interval")),
    *("gwet_ac1", "gwet_ac2_linear", "gwet_ac2_quadratic", "kendall_w", "icc_2_1", "icc_2_k"),
    *("pairwise_weighted_kappa_linear", "pairwise_weighted_kappa_quadratic"),
}
METRICS = MetricsTable(
    tuple(FidRow(f"arm{a}", "", value) for a, value in enumerate((158.4, 94.7, 81.3, 48.6))),
    tuple((f"arm{a}", (10.0 * a + 1, 10.0 * a + 2, 10.0 * a + 4)) for a in range(4)),
)


def run(given: ScoreTable, metrics: MetricsTable | None = None, clmm: bool = False) -> dict[str, Any]:
    found = analyse(given, metrics, FORM, seed=0, draws=100, clmm=clmm)
    return dict(json.loads(json.dumps(found, allow_nan=False)))


def estimates(node: Any) -> list[dict[str, Any]]:
    """Every E of a document."""
    if isinstance(node, list):
        return [each for child in node for each in estimates(child)]
    if not isinstance(node, dict):
        return []
    own = [node] if {"value", "method"} <= node.keys() else []
    return own + [each for child in node.values() for each in estimates(child)]


def test_shape_of_the_contract() -> None:
    found = run(table(scores(1)), METRICS, clmm=True)
    assert found["categories"] == FORM and list(found["arms"]) == [f"arm{a}" for a in range(4)]
    for block in (*found["arms"].values(), found["pooled"]):
        assert block.keys() >= BLOCK and block["agreement"].keys() >= AGREEMENT
        assert len(block["agreement"]["fleiss_kappa"]["bootstrap"]) == 2
        assert list(block["agreement"]["fleiss_kappa_per_category"]) == ["1", "2", "3", "4", "5"]
        assert list(block["agreement"]["pairwise_weighted_kappa_linear"])[:2] == ["R1-R2", "R1-R3"]
        opinion = {"mean_score", "mean_score_slices_readers", "standard_deviation", "cannot_judge"}
        assert block["opinion"].keys() >= opinion
    assert found["pooled"]["n_slices"] == 160 and found["arms"]["arm0"]["n_scores"] == 200
    assert [pair["arms"][1] for pair in found["comparisons"]] == [
        "arm1",
        "arm2",
        "arm3",
        "arm2",
        "arm3",
        "arm3",
    ]
    assert found["comparisons"][0]["mrmc"].keys() >= {"value", "ci_low", "ci_high", "method", "p", "df"}
    for name in ("clmm", "clmm_crossed"):
        model = found["omnibus"][name]
        assert model.keys() >= {"reference", "log_odds", "sd_slice", "sd_reader", "log_likelihood"}
    assert found["omnibus"]["friedman"].keys() >= {"chi2", "p"}
    assert found["readers"]["R1"].keys() >= {"bias", "correlation_with_others"}
    repeats = {"weighted_kappa_quadratic", "weighted_kappa_linear", "exact_repeat_share"}
    assert found["intra_reader"]["R5"].keys() >= repeats and len(found["latency"]["welch"]) == 2
    assert len(found["correlation"]["fid_med"]["leave_one_out_pearson"]) == 4
    for estimate in estimates(found):
        assert (estimate["ci_low"] is None) == (estimate["ci_high"] is None)
        if estimate["ci_low"] is not None:
            assert estimate["ci_low"] <= estimate["value"] + 1e-12 <= estimate["ci_high"] + 2e-12


def test_absent_parts_are_undefined() -> None:
    found = run(table(scores(1, slices=8)))
    for absent in (found["correlation"]["fid_med"], found["latency"], found["omnibus"]["clmm"]):
        assert absent["value"] is None and absent["undefined"]
    assert found["intra_reader"]["R1"]["exact_repeat_share"]["value"] is None


def test_repeats_count_nowhere_else() -> None:
    cube = scores(2, slices=10)
    again = ScoreTable.from_rows([*rows(cube), *rows(scores(3, slices=10), repeat=1)])
    with_repeats, without = run(again), run(table(cube))
    assert with_repeats.pop("intra_reader") != without.pop("intra_reader")
    assert with_repeats == without


def test_same_seed_same_file_other_seed_other_bootstrap() -> None:
    given = table(scores(4, slices=15))
    first, second = (analyse(given, None, FORM, seed, 200, clmm=False) for seed in (0, 0))
    other = analyse(given, None, FORM, 1, 200, clmm=False)
    assert json.dumps(first) == json.dumps(second)
    kappas = [run["arms"]["arm0"]["agreement"]["fleiss_kappa"] for run in (first, other)]
    assert kappas[0]["bootstrap"] != kappas[1]["bootstrap"] and kappas[0]["value"] == kappas[1]["value"]


@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_independent_recomputation(tmp_path: Path, missing: float) -> None:
    """Ten significant digits against an implementation in fractions that shares no line."""
    cube = scores(5, slices=21, missing=missing)
    modality = ("CT", "MR", "US") * 7
    with (tmp_path / "scores.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["slice", "arm", "reader", "score", "modality"])
        for row in rows(cube, modalities=modality):
            writer.writerow([row.slice, row.arm, row.reader, "" if row.score is None else int(row.score), row.modality])
    points = "".join(f"arm{a},{m},{40 + 7 * a + i}\n" for a in range(4) for i, m in enumerate(("CT", "MR", "")))
    (tmp_path / "metrics.csv").write_text("arm,modality,fid_med\n" + points)
    again = recompute(str(tmp_path / "scores.csv"), str(tmp_path / "metrics.csv"))
    found = run(read_scores(tmp_path / "scores.csv"), read_metrics(tmp_path / "metrics.csv"))
    for arm, numbers in again["arms"].items():
        block = found["arms"][arm]
        pairs = {**block["agreement"], **block["opinion"]}
        for name, value in numbers.items():
            assert pairs[name]["value"] == pytest.approx(value, rel=1e-11)
    fid = found["correlation"]["fid_med"]
    assert fid["n"] == again["fid_med"]["n"] == 12
    for name in ("slope", "intercept", "pearson"):
        assert fid[name]["value"] == pytest.approx(again["fid_med"][name], rel=1e-11)


def test_difference_from_the_reference_over_slices_and_over_readers_too() -> None:
    cube = scores(1, slices=30)
    found = analyse(table(cube), None, FORM, draws=50, clmm=False, reference="arm3")
    own, pair = found["difference_from_reference"]["arm0"], found["comparisons"][2]
    assert own["value"] == pytest.approx(-pair["mean_difference"]["value"])
    assert own["slices_readers"]["ci_low"] == pytest.approx(-pair["mrmc"]["ci_high"])
    assert own["slices_readers"]["ci_low"] < own["ci_low"] and "arm3" not in found["difference_from_reference"]
    assert run(table(cube))["difference_from_reference"]["value"] is None


def test_kappa_and_agreement_part() -> None:
    """Under a ceiling kappa falls while readers agree; the warning names the prevailing category."""
    ceiling = np.full((100, 1, 5), 5.0)
    ceiling[::10, 0, 0] = 4.0
    (warning,) = run(table(ceiling))["arms"]["arm0"]["agreement"]["warnings"]
    assert "low (-0.02)" in warning and "96%" in warning and "98% of the scores are 5" in warning
    (warning,) = run(table(np.full((10, 1, 3), 2.0)))["arms"]["arm0"]["agreement"]["warnings"]
    assert "undefined" in warning
    assert run(table(scores(1)))["arms"]["arm0"]["agreement"]["warnings"] == []


def test_pooled_blocks_say_that_they_are_pooled() -> None:
    found = run(table(scores(1, slices=12), modalities=("CT", "MR") * 6))
    assert "Pooled over arms" in found["pooled"]["label"] and found["arms"]["arm0"]["label"] == ""
    assert found["modalities_pooled"]["CT"] == run(table(scores(1, slices=12)[::2]))["pooled"]
    assert run(table(scores(1, slices=6)))["modalities_pooled"] == {}


def test_few_readers_are_warned_of() -> None:
    few, many = scores(1, slices=8, readers=5), scores(1, slices=8, readers=10)
    assert any("5 readers" in warning for warning in run(table(few))["warnings"])
    assert run(table(many))["warnings"] == []


def test_leaving_a_reader_out_is_the_study_without_this_reader() -> None:
    cube = scores(1, slices=12)
    entry, alone = run(table(cube))["readers"]["R3"], run(table(np.delete(cube, 2, axis=2)))
    own = alone["arms"]["arm1"]
    assert entry["mean_score_without"]["arm1"]["value"] == own["opinion"]["mean_score"]["value"]
    assert entry["fleiss_kappa_without"]["arm1"]["ci_high"] == own["agreement"]["fleiss_kappa"]["ci_high"]
    pair = alone["comparisons"][0]["mrmc"]
    assert entry["mrmc_without"]["arm1 - arm0"] == {key: pair[key] for key in entry["mrmc_without"]["arm1 - arm0"]}


def test_modalities_have_blocks_of_their_own() -> None:
    cube, modality = scores(1, slices=12), ("CT", "MR") * 6
    found = run(table(cube, modalities=modality))
    alone = run(table(cube[::2]))
    own, other = found["modalities"]["CT"]["arm1"], alone["arms"]["arm1"]
    assert own == other and list(found["modalities"]) == ["CT", "MR"]


@pytest.mark.parametrize(("arm", "modality", "column"), [("x", "", "arm"), ("arm0", "CT", "modality")])
def test_metrics_of_something_unknown(arm: str, modality: str, column: str) -> None:
    unknown = MetricsTable((FidRow(arm, modality, 3.0, 4),))
    with pytest.raises(TableError, match=f"Row 4 of the metrics, column {column}"):
        run(table(scores(1, slices=6)), unknown)


def test_a_score_off_the_form() -> None:
    with pytest.raises(TableError, match="not one of the categories 1, 2, 3, 4"):
        analyse(table(scores(1, slices=6)), None, [1, 2, 3, 4], draws=10)
