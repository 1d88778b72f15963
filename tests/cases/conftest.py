"""Every test of cases has a pixel store of its own and the people around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Source
from tests.cases.factories import case


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, settings: Any) -> Path:
    """A data folder that nothing else writes to."""
    settings.DATA_DIR = tmp_path / "data"
    settings.PIXELS_DIR = settings.DATA_DIR / "pixels"
    settings.DATA_DIR.mkdir()
    return tmp_path / "data"


@pytest.fixture
def coordinator(db: None) -> User:
    return User.objects.create_user("carla", password="a long enough password", may_coordinate=True)


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("simon", password="a long enough password")


@pytest.fixture
def source(db: None) -> Source:
    return Source.objects.create(name="Hospital A", approval="EK 12/26", agreement="DUA 7")


@pytest.fixture
def one(source: Source) -> Case:
    """A CT case of that source."""
    return case(source, "CT")
