"""Marks, the fidelity pass, guesses, pairs and sittings: from what readers did to the sections of the document."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from uuid import uuid4

import pytest

from readerstudy.analytics.actions import export_snapshot, make_snapshot
from readerstudy.analytics.compute import compute, document_text
from readerstudy.analytics.gathering import gather
from readerstudy.analytics.inputs import ArmFacts, Inputs, StudyFacts
from readerstudy.analytics.lines import ScoreLine
from readerstudy.analytics.readings import check_rows, guess_rows, mark_rows, pair_rows, session_rows
from readerstudy.analytics.recompute import recompute
from readerstudy.conduct.actions import close_study, lock_study, unblind_study
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import (
    Given,
    Guess,
    Mark,
    begin_fidelity,
    record_answer,
    record_guesses,
    record_mark,
    sign_session,
    start_session,
)
from readerstudy.reading.guessing import guess_items
from readerstudy.reading.queries import SCORED
from readerstudy.schedules.models import Presentation, Session
from readerstudy.studies.models import Study
from tests.factories import ARMS, World, answer, make_open

pytestmark = pytest.mark.django_db
FIDELITY = Presentation.Kind.FIDELITY
PAIRS = [frozenset(pair) for pair in combinations(ARMS, 2)]


def draw(user: object, row: Presentation, label: str, shape: str = "point", **values: object) -> None:
    points = [[3.0, 4.0]] if shape == "point" else [[0.0, 0.0], [3.0, 4.0]]
    record_mark(user, uuid4(), row.pk, Mark(uuid4(), 0, 0, shape, points, label, **values))  # type: ignore[arg-type]


def read_and_mark(world: World, number: int, session: Session) -> None:
    """Every image is scored; those of the first arm bear a mark; the pass finds an invented structure in it too."""
    user = world.readers[number]
    start_session(user, session)
    for row in session.presentations.filter(kind__in=SCORED).order_by("position"):
        pane = row.panes.get()
        if pane.arm.key == ARMS[0]:  # type: ignore[union-attr]
            draw(user, row, "noise", "line")
        answer(user, row, 1 + (row.position + number) % 5)
    begin_fidelity(user, session)
    for row in session.presentations.filter(kind=FIDELITY).order_by("position"):
        if row.panes.get(index=0).arm.key == ARMS[0]:  # type: ignore[union-attr]
            draw(user, row, "invented structure", confidence=4, consequence="could change the report")
        record_answer(user, Given(uuid4(), row.pk, {}))
    sign_session(user, session, printed_name="A Reader", meaning="I scored these images.")


def finish(world: World) -> Study:
    close_study(world.study, world.coordinator)
    lock_study(world.study, world.coordinator)
    unblind_study(world.study, world.second)
    world.study.refresh_from_db()
    return world.study


@pytest.fixture
def study() -> Study:
    world = make_open(
        sessions={"number": 2}, slices={"number": 6}, design={"readers": 2, "fidelity": 0.5, "guess_images": 2}
    )
    for number, user in enumerate(world.readers):
        for session in world.sessions(number):
            read_and_mark(world, number, session)
        items = guess_items(world.schedule(number))
        record_guesses(user, world.schedule(number), [Guess(i.presentation, i.pane, ARMS[0], "grain") for i in items])
    return finish(world)


@pytest.fixture
def inputs(study: Study) -> Inputs:
    return gather(study)


def test_every_table_is_gathered(study: Study) -> None:
    marks = mark_rows(study)
    assert {mark.phase for mark in marks} == {"scores", "fidelity"}
    line = next(mark for mark in marks if mark.label == "noise")
    assert (line.arm, line.shape, json.loads(line.points)) == (ARMS[0], "line", [[0.0, 0.0], [3.0, 4.0]])
    assert line.length_mm == pytest.approx(5 * 0.7)
    found = next(mark for mark in marks if mark.phase == "fidelity")
    assert (found.confidence, found.consequence) == (4, "could change the report")
    checks = check_rows(study)
    assert len(checks) == 2 * 12 and {check.done for check in checks} == {1}
    guesses = guess_rows(study)
    assert len(guesses) == 2 * 4 * 2 and {guess.guessed for guess in guesses} == {ARMS[0]}
    sittings = session_rows(study)
    assert [(s.reader, s.session, s.images, s.read, s.signed) for s in sittings] == [
        ("R1", 1, 12, 12, 1), ("R1", 2, 12, 12, 1), ("R2", 1, 12, 12, 1), ("R2", 2, 12, 12, 1),
    ]  # fmt: skip


def test_rates_count_images_without_marks_as_zero(inputs: Inputs) -> None:
    section = compute(inputs, mixed_models=False)["annotations"]
    assert list(section) == ["any label", *inputs.facts.labels]
    arms = section["noise"]["arms"]
    assert (arms[ARMS[0]]["marks"], arms[ARMS[0]]["images"], arms[ARMS[0]]["rate"]["value"]) == (12, 12, 1.0)
    assert (arms[ARMS[1]]["marks"], arms[ARMS[1]]["images"], arms[ARMS[1]]["rate"]["value"]) == (0, 12, 0.0)
    ratio = section["noise"]["ratios"][0]
    assert ratio["arms"] == list(ARMS[:2]) and "no mark" in ratio["rate_ratio"]["undefined"]
    assert section["blur"]["arms"][ARMS[0]]["rate"]["value"] == 0.0
    assert section["any label"]["agreement"][ARMS[0]]["percent_agreement"]["value"] == 1.0


def test_the_ledger_counts_what_was_found_beside_the_reference(inputs: Inputs) -> None:
    section = compute(inputs, mixed_models=False)["fidelity"]
    shown = {arm: section["arms"][arm]["images"] for arm in ARMS}
    assert sum(shown.values()) == 24
    own = section["arms"][ARMS[0]]
    assert own["invented"]["images"] == own["invented"]["report_images"] == own["images"] == shown[ARMS[0]]
    assert own["lost"]["marks"] == 0 and own["invented"]["mean_confidence"]["value"] == 4.0
    assert section["arms"][ARMS[1]]["either"]["image_share"]["value"] == 0.0


def test_levels_of_one_method_make_a_ladder() -> None:
    arms = [
        {"key": f"tv_{share}", "title": f"TV {share} %", "method": "tv_recon", "levels": {"CT": share / 100}}
        for share in (25, 50)
    ]
    inputs = gather_ct(arms)
    (method,) = compute(inputs, mixed_models=False)["ladders"]["CT"].items()
    assert method[0] == "tv_recon" and method[1]["levels"] == {"tv_25": 0.25, "tv_50": 0.5}
    assert [rung["arm"] for rung in method[1]["rungs"]] == ["tv_25", "tv_50"]
    assert method[1]["slope_per_doubling"]["value"] == pytest.approx(1.0)
    assert "no margin" in method[1]["limit"]["undefined"]


def gather_ct(arms: list[dict[str, object]]) -> Inputs:
    """Scores of two arms of one method on ten slices; the second is one point better everywhere."""
    facts = [ArmFacts(str(a["key"]), str(a["title"]), "tv_recon", "compared", a["levels"], {}) for a in arms]  # type: ignore[arg-type]
    study = StudyFacts(
        "s", "Ladder", "a", "b", {"primary_criterion": "overall"}, {"overall": "Overall"}, [1, 2, 3, 4, 5], facts,
        ["R1", "R2", "R3"], 0, 50, False,
    )  # fmt: skip
    lines = [
        ScoreLine(
            f"S{s:03d}",
            arm.key,
            reader,
            str(1 + (s + r) % 3 + a),
            f"P{s}",
            "CT",
            1,
            0,
            "overall",
            2 * s + a,
            5.0,
            0.0,
            0,
        )
        for a, arm in enumerate(facts)
        for s in range(10)
        for r, reader in enumerate(study.readers)
    ]
    return Inputs(study, scores=tuple(lines))


def test_guesses_are_held_against_chance(inputs: Inputs) -> None:
    section = compute(inputs, mixed_models=False)["blinding"]
    assert section["chance"] == 0.25
    assert section["confusion"][ARMS[1]][ARMS[0]] == 4
    assert section["arms"][ARMS[0]]["share_correct"]["value"] == 1.0
    assert section["arms"][ARMS[1]]["bang_index"]["value"] == pytest.approx(-1 / 3)
    assert "not unblinding" in section["warning"]


def test_sittings_have_pace_drift_and_a_sensitivity(inputs: Inputs) -> None:
    document = compute(inputs, mixed_models=False)
    assert set(document["reading"]) == {"R1", "R2"}
    assert document["reading"]["R1"]["sessions"]["1"]["n"] == 12
    assert document["reading"]["R1"]["overall"]["n"] == 24
    assert "no display check" in document["sensitivity"]["without_flagged_displays"]["undefined"]


def test_the_zip_recomputes_with_every_table(study: Study, tmp_path: Path) -> None:
    made = make_snapshot(study, None)
    assert list(verify_study(study)) == []
    member = study.memberships.filter(role="coordinator").first()
    assert member is not None
    path = tmp_path / "export.zip"
    path.write_bytes(export_snapshot(made, member.user))
    assert recompute(path).difference is None


def test_a_changed_mark_is_found(study: Study) -> None:
    made = make_snapshot(study, None)
    made.tables["marks"] = made.tables["marks"].replace("noise", "blur", 1)
    made.save()
    found = "\n".join(verify_study(study))
    assert "other marks than the study holds" in found and "no longer holds the inputs" in found


def test_a_pairwise_study_has_abilities_and_no_scores() -> None:
    texts = {"left": "left is better", "right": "right is better", "equal": "no difference"}
    world = make_open(
        criteria=[{"key": "overall", "title": "Overall", "question": "Which?", "texts": texts}],
        slices={"number": 4}, sessions={"number": 2}, design={"kind": "pairwise", "readers": 2},
    )  # fmt: skip
    for number, user in enumerate(world.readers):
        for session in world.sessions(number):
            start_session(user, session)
            for row in session.presentations.order_by("position"):
                left, right = (pane.arm.key for pane in row.panes.order_by("index"))  # type: ignore[union-attr]
                # What is chosen hangs on slice and pair alone: the order is drawn from a secret.
                pair = PAIRS.index(frozenset((left, right))) + len(PAIRS) * row.study_slice.position
                better = (ARMS.index(left) > ARMS.index(right)) != (pair % 11 == 0)
                choice = "equal" if pair % 5 == 0 else "left" if better else "right"
                record_answer(user, Given(uuid4(), row.pk, {"overall": {"choice": choice}}))
            sign_session(user, session, printed_name="A Reader", meaning="I compared these images.")
    study = finish(world)
    lines = pair_rows(study, study.criteria.get())
    assert len({line.slice for line in lines}) == 4 and {line.choice for line in lines} <= {"left", "right", "equal"}
    inputs = gather(study)
    document = compute(inputs)
    document_text(document)
    section = document["pairs"]["overall"]
    model = section["bradley_terry"]
    ability = [model["log_ability"][arm]["value"] for arm in ARMS]
    assert ability == sorted(ability) and model["n"] == section["n_judged"] == 2 * 4 * 6
    wins = section["wins"]
    assert wins[ARMS[3]][ARMS[0]]["won"] == wins[ARMS[0]][ARMS[3]]["lost"] > wins[ARMS[0]][ARMS[3]]["won"]
    assert document["arms"] == {} and document["comparisons"] == []
    make_snapshot(study, None)
    assert list(verify_study(study)) == []
