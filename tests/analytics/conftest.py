"""Every test has a pixel store of its own; one exported study is made once and shared as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from readerstudy.analytics.actions import export_snapshot, make_snapshot
from readerstudy.analytics.models import Snapshot
from readerstudy.studies.models import Study
from tests.analytics.factories import Shape, add_member, make_study


@dataclass(frozen=True)
class Exported:
    """One study's export and what it must equal; the study itself is gone from the database."""

    content: bytes
    again: bytes
    statistics: str
    tables: dict[str, str]
    people: list[str]

    def snapshot_of(self, study: Study) -> Snapshot:
        """These numbers as another study's, where a test needs some numbers and not its own."""
        return Snapshot.objects.create(
            study=study, inputs_hash="f" * 64, statistics=self.statistics, tables=self.tables,
            chain_head="0" * 64, simulated=True,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def pixels(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own, and few resamples: the statistics have tests elsewhere."""
    monkeypatch.setattr("readerstudy.analytics.gathering.DRAWS", 50)
    settings.PIXELS_DIR = tmp_path / "pixels"
    return tmp_path / "pixels"


@pytest.fixture(scope="session")
def exported(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    pixels = tmp_path_factory.mktemp("pixels")
    with django_db_blocker.unblock(), override_settings(PIXELS_DIR=pixels), transaction.atomic():
        study = make_study(Shape(criteria=("quality", "noise")))
        made, by = make_snapshot(study, None), add_member(study, "analyst")
        content, again = export_snapshot(made, by), export_snapshot(made, by)
        people = [membership.user.username for membership in study.memberships.select_related("user")]
        transaction.set_rollback(True)
    return Exported(content, again, made.statistics, made.tables, people)


@pytest.fixture
def archive(exported: Exported, tmp_path: Path) -> Path:
    path = tmp_path / "export.zip"
    path.write_bytes(exported.content)
    return path
