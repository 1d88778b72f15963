"""A snapshot freezes numbers once per input, says what is simulated, and never exists before unblinding."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from readerstudy.analytics.actions import make_snapshot, request_snapshot
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import StudyBlinded
from readerstudy.analytics.tasks import snapshot
from readerstudy.audit.actions import verify
from readerstudy.audit.models import Entry
from readerstudy.jobs.claims import JobFailure
from readerstudy.jobs.models import Job
from readerstudy.reading.models import Score
from readerstudy.studies.models import Study
from tests.analytics.factories import ARMS, Shape, add_member, make_study

pytestmark = pytest.mark.django_db


def claim_for(study: Study) -> Any:
    """What a handler needs of a claim; counts the fenced transactions."""
    fences: list[int] = []

    @contextmanager
    def fenced() -> Any:
        fences.append(1)
        yield

    return SimpleNamespace(payload={"study": str(study.pk)}, heartbeat=lambda: None, fenced=fenced, fences=fences)


def no_nan(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in strict JSON")

    return json.loads(text, parse_constant=refuse)


def test_snapshot_holds_the_contract_and_the_study() -> None:
    study = make_study(Shape(criteria=("quality", "noise")))
    made = make_snapshot(study, add_member(study, "analyst"))
    document = no_nan(made.statistics)
    assert list(document["arms"]) == list(ARMS) and document["categories"] == [1, 2, 3, 4, 5]
    assert document["simulated"] is True and made.simulated
    assert document["correlation"]["fid_med"]["n"] == 4
    assert document["comparisons"][0]["arms"] == ["tv_recon", "pix2pix"]
    assert len(document["comparisons"]) == 6 == document["plan_comparisons"][0]["family_size"]
    assert list(document["modalities"]) == ["CT", "MR", "US"]
    assert list(document["secondary"]) == ["noise"]
    assert document["metrics"]["restormer"]["psnr"]["n_patients"] == 6
    assert document["distribution"]["tv_recon"]["NA"] == 1
    assert all("simulated" in text.splitlines()[0] for text in made.tables.values())
    opinion = document["arms"]["diffusion_unet"]["opinion"]["mean_score"]
    assert opinion["ci_low"] < opinion["value"] < opinion["ci_high"]


def test_same_input_gives_the_same_snapshot_and_one_entry() -> None:
    study = make_study(Shape(slices=6))
    by = add_member(study, "coordinator")
    first = make_snapshot(study, by)
    assert make_snapshot(study, by) == first
    entries = Entry.objects.filter(chain__name=study.chain, verb="snapshot.make")
    assert [entry.data["inputs"] for entry in entries] == [first.inputs_hash]
    assert entries[0].actor == by.handle and first.chain_head == entries[0].previous
    assert list(verify(study.chain)) == []


def test_another_score_makes_another_snapshot() -> None:
    study = make_study(Shape(slices=6))
    first = make_snapshot(study, None)
    score = Score.objects.filter(presentation__session__schedule__study=study, value=3).first()
    assert score is not None
    Score.objects.filter(pk=score.pk).update(value=1)
    second = make_snapshot(study, None)
    assert second.inputs_hash != first.inputs_hash and Snapshot.objects.count() == 2


def test_blinded_study_has_no_snapshot_and_no_job() -> None:
    study = make_study(Shape(state="locked", slices=2, readers=1))
    by = add_member(study, "analyst")
    with pytest.raises(StudyBlinded):
        make_snapshot(study, by)
    with pytest.raises(StudyBlinded):
        request_snapshot(study, by)
    with pytest.raises(JobFailure, match="This study is locked"):
        snapshot(claim_for(study))
    assert not Snapshot.objects.exists() and not Job.objects.exists()


def test_handler_writes_inside_the_fence_and_a_repeat_writes_nothing() -> None:
    study = make_study(Shape(slices=6))
    claim = claim_for(study)
    snapshot(claim)
    snapshot(claim)
    assert claim.fences == [1] and study.snapshots.count() == 1


def test_one_request_at_a_time_is_handed_in() -> None:
    study = make_study(Shape(slices=2, readers=1))
    by = add_member(study, "analyst")
    assert request_snapshot(study, by) == request_snapshot(study, by)
    job = Job.objects.get()
    assert job.kind == "snapshot" and job.payload == {"study": str(study.pk), "by": by.pk}


@pytest.mark.parametrize(
    "shape",
    [
        Shape(slices=6, readers=1),
        Shape(slices=2, readers=2, repeats=0),
        Shape(slices=6, readers=3, equal=True),
        Shape(slices=6, readers=2, unread=24),
    ],
)
def test_odd_studies_have_reasons_instead_of_nan(shape: Shape) -> None:
    document = no_nan(make_snapshot(make_study(shape), None).statistics)
    kappa = document["arms"]["tv_recon"]["agreement"]["fleiss_kappa"]
    if shape.equal or shape.readers == 1:
        assert kappa["value"] is None and kappa["undefined"]


def test_plan_says_what_becomes_of_cannot_judge_and_gaps() -> None:
    worst = make_snapshot(make_study(Shape(slices=6, plan={"cannot_judge": "worst score"})), None)
    refused = json.loads(worst.statistics)["arms"]["tv_recon"]
    assert refused["opinion"]["cannot_judge"]["value"] == 0 and refused["n_scores"] == 17
    complete = make_snapshot(make_study(Shape(slices=6, plan={"missing": "complete slices"})), None)
    # The unread and the refused slice of R1 leave every arm.
    assert {block["n_slices"] for block in json.loads(complete.statistics)["arms"].values()} == {4}
