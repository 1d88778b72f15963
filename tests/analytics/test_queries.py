"""What the analysis reads, and that it reads nothing before unblinding."""

from __future__ import annotations

import pytest
from django.http import Http404

from readerstudy.analytics.gathering import gather, image_rows
from readerstudy.analytics.queries import NotAnalysable, StudyBlinded, analyst_study
from readerstudy.analytics.readings import score_rows
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Pane
from tests.analytics.factories import ARMS, Shape, add_member, make_study

pytestmark = pytest.mark.django_db


def test_score_rows_hold_every_planned_reading() -> None:
    study = make_study()
    rows = score_rows(study)
    assert len(rows) == 3 * (12 * 4 + 2)
    assert next(row.arm for row in rows[:: 12 * 3 + 6]) == "tv_recon"
    assert list(dict.fromkeys(row.arm for row in rows)) == list(ARMS)
    assert {row.reader for row in rows} == {"R1", "R2", "R3"}
    assert rows[0].slice == "S001" and {row.modality for row in rows} == {"CT", "MR", "US"}
    assert len({row.patient for row in rows}) == 6
    assert sum(row.repeat for row in rows) == 6
    assert all(row.simulated == 1 and row.criterion == "quality" and row.session == 1 for row in rows)


def test_unread_is_empty_and_cannot_judge_is_na() -> None:
    rows = score_rows(make_study(Shape(unread=2, refused=3)))
    first = [row for row in rows if row.reader == "R1"]
    assert [row.score for row in first].count("") == 2
    assert [row.score for row in first].count("NA") == 3
    assert next(row for row in first if row.score == "").seconds is None
    assert all(row.seconds is not None and row.seconds >= 4 for row in first if row.score)


@pytest.mark.parametrize("state", ["draft", "open", "closed", "locked"])
def test_nothing_is_read_before_unblinding(state: str) -> None:
    study = make_study(Shape(state=state, slices=2, readers=1))
    for read in (score_rows, image_rows, gather):
        with pytest.raises(StudyBlinded, match=f"This study is {state}"):
            read(study)


def test_gather_has_one_distance_per_arm_and_per_modality() -> None:
    inputs = gather(make_study())
    overall = [line for line in inputs.sets if not line.modality]
    assert [line.arm for line in overall] == list(ARMS)
    assert [line.n for line in overall] == [12] * 4 and {line.n_patients for line in overall} == {6}
    values = [line.fid_med or 0.0 for line in overall]
    assert values[0] > values[3] > 0
    by_modality = [line for line in inputs.sets if line.modality]
    assert len(by_modality) == 12 and {line.n for line in by_modality} == {4}
    # Two patients in a modality carry no interval over patients.
    assert all(line.fid_med_low is None and line.marked for line in by_modality)
    assert inputs.facts.arm("pix2pix").runs["device"] == ["cpu"]


def test_only_analysts_and_coordinators_find_the_study() -> None:
    study = make_study(Shape(slices=2, readers=1))
    for role in ("analyst", "coordinator"):
        assert analyst_study(add_member(study, role), study.pk) == study
    reader = study.readers.get().membership
    assert reader is not None
    other = add_member(make_study(Shape(slices=2, readers=1)), "analyst")
    for stranger in (reader.user, other):
        with pytest.raises(Http404):
            analyst_study(stranger, study.pk)


def test_an_image_shown_a_third_time_is_refused_with_a_sentence() -> None:
    study = make_study(Shape(slices=2, readers=1))
    pane = Pane.objects.filter(presentation__session__schedule__study=study).first()
    assert pane is not None
    Pane.objects.create(presentation=pane.presentation, index=1, arm=pane.arm, run=pane.run)
    with pytest.raises(NotAnalysable, match="more often than twice"):
        score_rows(study)


def test_features_of_different_networks_are_not_compared() -> None:
    study = make_study()
    first = Reconstruction.objects.exclude(features="").exclude(run__method="reference").order_by("pk")[0]
    first.feature_network = "a" * 64
    first.save()
    lines = [line for line in gather(study).sets if not line.modality]
    assert [line.fid_med is None for line in lines].count(True) == 1
    (mixed,) = (line for line in lines if line.fid_med is None)
    assert mixed.marked == "the features come from different FID-Med networks: request the runs again"
