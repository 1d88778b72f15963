"""Headline numbers without a reader, without sessions, and with refusals as the worst score."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.estimate import Undefined, as_json
from readerstudy.statistics.leave_out import WithoutSessions, headline, without_reader, without_sessions
from readerstudy.statistics.table import ScoreTable
from tests.statistics.tables import rows, scores, table

FORM = [1, 2, 3, 4, 5]
ARMS = ["arm0", "arm1", "arm2"]


def with_sessions(cube: np.ndarray) -> ScoreTable:
    """Each reader reads even slices in session 1 and odd ones in session 2."""
    return ScoreTable.from_rows(dataclasses.replace(row, session=str(1 + int(row.slice[1:]) % 2)) for row in rows(cube))


def test_without_a_reader_is_the_study_without_this_reader() -> None:
    cube = scores(1, slices=12)[:, :3]
    found = without_reader(cube, 2, ARMS, FORM, table(cube).clusters(), "arm0")
    alone = analyse(table(np.delete(cube, 2, axis=2)), None, FORM, draws=50, clmm=False, reference="arm0")
    assert as_json(found.omnibus) == alone["omnibus"]["mrmc"]
    difference = alone["difference_from_reference"]["arm2"]["slices_readers"]
    assert as_json(found.difference_from_reference["arm2"]) == difference
    for arm in ARMS:
        assert as_json(found.mean_score[arm]) == alone["arms"][arm]["opinion"]["mean_score_slices_readers"]
    entry = analyse(table(cube), None, FORM, draws=50, clmm=False, reference="arm0")["readers"]["R3"]
    assert entry["omnibus_without"] == as_json(found.omnibus)
    assert entry["difference_from_reference_without"] == as_json(found.difference_from_reference)


def test_without_sessions_is_the_table_without_their_rows() -> None:
    cube = scores(2, slices=20)[:, :3]
    full = with_sessions(cube)
    found = without_sessions(full, {("R2", "1"), ("R4", "2")}, FORM)
    erased = cube.copy()
    erased[0::2, :, 1], erased[1::2, :, 3] = np.nan, np.nan
    assert isinstance(found, WithoutSessions) and set(found.left_out) == {("R2", "1"), ("R4", "2")}
    assert (found.n_left_out, found.n_scores) == (60, 240)
    assert found.headline == headline(erased, ARMS, FORM, full.clusters())


def test_nothing_to_leave_out_and_nothing_left() -> None:
    full = with_sessions(scores(2, slices=6)[:, :2, :2])
    for sessions, reason in (
        ({("R9", "1")}, "none of these"),
        ({(f"R{r}", s) for r in (1, 2) for s in "12"}, "is left"),
    ):
        found = without_sessions(full, sessions, FORM)
        assert isinstance(found, Undefined) and reason in found.reason


def test_refusals_as_the_worst_score() -> None:
    cube = scores(3, slices=20)[:, :2]
    given = [
        dataclasses.replace(row, score=None, cannot_judge=True) if row.reader == "R1" and row.arm == "arm1" else row
        for row in rows(cube)
    ]
    found = analyse(ScoreTable.from_rows(given), None, FORM, draws=50, clmm=False)
    worst = cube.copy()
    worst[:, 1, 0] = 1
    again = found["cannot_judge_as_worst"]
    assert again["mean_score"]["arm1"]["value"] == pytest.approx(worst[:, 1].mean())
    assert again["mrmc"]["arm1 - arm0"]["value"] == pytest.approx((worst[:, 1] - worst[:, 0]).mean())
    assert found["arms"]["arm1"]["opinion"]["cannot_judge"]["value"] == 0.2
    assert analyse(table(cube), None, FORM, draws=50, clmm=False)["cannot_judge_as_worst"]["value"] is None


def test_bias_by_session() -> None:
    cube = scores(4, slices=20)[:, :2]
    cube[1::2, :, 0] = np.minimum(5, cube[1::2, :, 0] + 1)
    found = analyse(with_sessions(cube), None, FORM, draws=50, clmm=False)["readers"]
    deviation = cube[:, :, 0] - cube.mean(axis=2)
    for session, part in (("1", deviation[0::2]), ("2", deviation[1::2])):
        own = found["R1"]["by_session"][session]
        assert own["n_scores"] == 20 and own["bias"]["value"] == pytest.approx(part.mean())
    assert analyse(table(cube), None, FORM, draws=50, clmm=False)["readers"]["R1"]["by_session"] == {}
