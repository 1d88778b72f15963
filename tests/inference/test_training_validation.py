"""Validation in training: what is logged, what picks the weights, what stops early, and how it survives a kill."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inference.metrics.features import load_backbone
from inference.training import loop
from inference.training.evaluation import Gain
from inference.training.loop import Trainer
from inference.training.pairs import Pair, RatedCase, rated_cases
from tests.inference.training_factory import silent, trainer


@pytest.fixture(scope="module")
def cases(pool: Path) -> list[RatedCase]:
    return rated_cases(pool, "validation", 1)


def script(monkeypatch: pytest.MonkeyPatch, gains: Sequence[float], kids: Sequence[float] = ()) -> None:
    """Let the coming validations find these gains, whatever the images, and these KIDs."""
    found, distances = iter(gains), iter(kids)

    def scripted(*_: object) -> dict[str, Gain]:
        return {"CT": Gain(0.0, 0.0, next(found), None, 0.0, 0.0, 1, 1)}

    monkeypatch.setattr(loop, "gains", scripted)
    if kids:
        monkeypatch.setattr(Trainer, "_kid", lambda *_: next(distances))


def kept(run: Trainer) -> Iterator[dict[str, Tensor]]:
    """The weights that a run would ship after each of its steps."""
    for step in range(1, run.steps + 1):
        best = run.run(silent, stop_at=step)
        yield {name: value.clone() for name, value in best.items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_validation_is_logged_and_the_best_is_kept(pairs: list[Pair], cases: list[RatedCase], tmp_path: Path) -> None:
    run = trainer("restormer", pairs, tmp_path, cases, steps=30, validate_every=10, learning_rate=3e-3)
    run.run(silent)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in history] == [10.0, 20.0, 30.0]
    assert run.state.best_gain == max(row["gain"] for row in history)


def test_both_figures_stand_in_the_history(pairs: list[Pair], cases: list[RatedCase], tmp_path: Path) -> None:
    run = trainer("restormer", pairs, tmp_path, cases, load_backbone(), steps=4, validate_every=2)
    run.run(silent)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in history] == [2.0, 4.0]
    for row in history:
        assert {"gain", "kid", "loss", "gain CT", "gain MR", "gain US"} <= set(row)
        assert all(math.isfinite(value) for value in row.values())
    assert run.chosen_by == f"the largest PSNR on {len(cases)} validation slices (KID needs 64)"


def test_kid_picks_the_weights_where_there_are_slices_enough(
    pairs: list[Pair], cases: list[RatedCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "KID_MINIMUM", len(cases))
    script(monkeypatch, [3.0, 2.0, 1.0, 0.0], [0.4, 0.2, 0.3, 0.1999])
    run = trainer("restormer", pairs, tmp_path, cases, load_backbone(), steps=4, validate_every=1)
    weights = list(kept(run))
    assert not same(weights[0], weights[1]) and same(weights[1], weights[2]) and not same(weights[2], weights[3])
    assert run.state.best_kid == 0.1999 and run.state.best_gain == 3.0
    assert run.chosen_by == f"the smallest KID on {len(cases)} validation slices"
    assert run.state.without_better == 3, "the early stop goes by PSNR all the same"


def test_psnr_picks_the_weights_where_kid_has_too_few_slices(
    pairs: list[Pair], cases: list[RatedCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "KID_MINIMUM", len(cases) + 1)
    script(monkeypatch, [1.0, 2.0, 1.5], [0.4, 0.3, 0.1])
    run = trainer("restormer", pairs, tmp_path, cases, load_backbone(), steps=3, validate_every=1)
    weights = list(kept(run))
    assert not same(weights[0], weights[1]) and same(weights[1], weights[2])
    assert "the largest PSNR" in run.chosen_by


def test_it_stops_early_without_a_better_validation(pairs: list[Pair], cases: list[RatedCase], tmp_path: Path) -> None:
    run = trainer("restormer", pairs, tmp_path, cases, steps=50, validate_every=1, learning_rate=0.0, patience=2)
    run.run(silent)
    assert run.state.step == 3


@pytest.mark.parametrize("killed_after", [3, 5])
def test_the_best_and_the_early_stop_survive_a_kill(
    pairs: list[Pair],
    cases: list[RatedCase],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_after: int,
) -> None:
    """Gains of 2, 1 and 1 at steps 2, 4 and 6: the weights of step 2 are best, and two worse ones end it at 6."""
    settings = {"steps": 20, "validate_every": 2, "patience": 2}
    gains = [2.0, 1.0, 1.0, 9.0]
    script(monkeypatch, gains)
    whole = trainer("restormer", pairs, tmp_path / "whole", cases, **settings)
    weights = whole.run(silent)
    script(monkeypatch, gains)
    trainer("restormer", pairs, tmp_path / "cut", cases, **settings).run(silent, stop_at=killed_after)
    resumed = trainer("restormer", pairs, tmp_path / "cut", cases, **settings)
    assert resumed.state.step == killed_after and resumed.state.best_gain == 2.0
    assert same(weights, resumed.run(silent))
    assert not same(weights, resumed.ema.network.state_dict())
    assert whole.state.step == resumed.state.step == 6
    histories = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in r.state.history] for r in (whole, resumed)
    ]
    assert histories[0] == histories[1] and len(histories[0]) == 3


def test_the_smallest_kid_survives_a_kill(
    pairs: list[Pair], cases: list[RatedCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "KID_MINIMUM", len(cases))
    script(monkeypatch, [1.0, 2.0, 3.0], [0.1, 0.3, 0.2])
    first = trainer("restormer", pairs, tmp_path, cases, load_backbone(), steps=3, validate_every=1)
    best = first.run(silent, stop_at=1)
    resumed = trainer("restormer", pairs, tmp_path, cases, load_backbone(), steps=3, validate_every=1)
    assert same(best, resumed.run(silent)) and resumed.state.best_kid == 0.1
