"""``verify_study`` asks the room on its right whether the last snapshot still recomputes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.models import Snapshot
from readerstudy.conduct.actions import close_study, lock_study, unblind_study
from readerstudy.conduct.verify import verify_study
from tests.factories import make_open, read_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def snapshot(monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    monkeypatch.setattr("readerstudy.analytics.gathering.DRAWS", 50)
    world = make_open(sessions={"number": 1})
    read_all(world)
    close_study(world.study, world.coordinator)
    lock_study(world.study, world.coordinator)
    return make_snapshot(unblind_study(world.study, world.second), None)


def faults(snapshot: Snapshot, **changes: Any) -> str:
    Snapshot.objects.filter(pk=snapshot.pk).update(**changes)
    return "\n".join(verify_study(snapshot.study))


def test_a_true_snapshot_recomputes(snapshot: Snapshot) -> None:
    assert faults(snapshot) == ""


def test_a_changed_number_is_named(snapshot: Snapshot) -> None:
    document = json.loads(snapshot.statistics)
    document["arms"]["tv_recon"]["opinion"]["mean_score"]["value"] += 0.5
    found = faults(snapshot, statistics=json.dumps(document))
    assert "does not recompute: arms.tv_recon.opinion.mean_score.value is" in found
    assert "is not the one that the audit chain records" in found


def test_changed_scores_are_found(snapshot: Snapshot) -> None:
    changed = snapshot.tables["scores"].replace(",1,P-", ",2,P-", 1)
    found = faults(snapshot, tables=snapshot.tables | {"scores": changed})
    assert "no longer holds the inputs" in found and "from other scores than the study holds" in found


def test_the_check_is_named_in_the_settings(snapshot: Snapshot, settings: Any) -> None:
    settings.STUDY_CHECKS = []
    assert faults(snapshot, statistics="{}") == ""
    settings.STUDY_CHECKS = ["readerstudy.analytics.verify.snapshot_holds"]
    assert "can't be read any more" in faults(snapshot)
