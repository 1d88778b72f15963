"""The example of the documentation, run as it stands against a server with a token."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from readerstudy.accounts.models import Scope
from readerstudy.accounts.tokens import create_token
from readerstudy.analytics.inputs import inputs_of
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "fetch_scores.py"


@pytest.mark.django_db(transaction=True)
def test_it_fetches_the_stored_scores_into_pandas(exported: Exported, live_server: Any) -> None:
    study = make_study(Shape(slices=1, readers=1))
    exported.snapshot_of(study)
    _, secret = create_token(add_member(study, "analyst"), "example", [Scope.RESULTS])
    fetch = runpy.run_path(str(EXAMPLE))["fetch_scores"]
    frame = fetch(live_server.url, str(study.pk), secret)
    lines = inputs_of(exported.statistics, exported.tables).scores
    assert len(frame) == len(lines) > 100
    for column in frame.columns:
        stored = [getattr(line, column) for line in lines]
        assert [None if value != value else value for value in frame[column]] == stored, column
    with pytest.raises(HTTPError, match="401"):
        fetch(live_server.url, str(study.pk), secret[:-1])
    said = subprocess.run(
        [sys.executable, str(EXAMPLE), live_server.url, str(study.pk)], env={**os.environ, "READERSTUDY_TOKEN": secret},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "diffusion_unet" in said and "quality" in said
