"""kill -9 of worker, web and supervisor while real slices are reconstructed: each once, none lost, no process left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Installation, left_clean, wait_for

pytestmark = pytest.mark.faults
SLICES, SIZE, METHODS = 40, 96, ["degraded", "tv_recon"]


class Reconstructing(Installation):
    """An installation with the product's own settings and job handlers."""

    tool_module = "tests.faults.reconstruct_tool"
    settings_module = "readerstudy.settings"

    def reconstructions(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("report")
        return found

    def wait_for_rows(self, number: int) -> None:
        wait_for(lambda: self.reconstructions()["rows"] >= number, 90, self.log)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Reconstructing]:
    yield from left_clean(Reconstructing(tmp_path))  # type: ignore[misc]


def test_every_slice_is_reconstructed_exactly_once(installation: Reconstructing) -> None:
    wanted = installation.ask("request", SLICES, SIZE, METHODS)
    installation.up()
    installation.wait_for_rows(5)
    installation.kill("celery")
    installation.wait_for_rows(20)
    installation.kill("gunicorn")
    installation.wait_for_rows(30)
    assert installation.supervisor is not None
    installation.supervisor.kill()
    installation.supervisor.wait()
    wait_for(lambda: installation.processes() == [], 5, lambda: str(installation.processes()))
    before = installation.reconstructions()["rows"]
    assert before < wanted, "The run ended before the supervisor was killed: use more slices."
    installation.up()
    wait_for(lambda: installation.reconstructions()["open"] == 0, 120, installation.log)
    assert installation.reconstructions() == {
        "rows": wanted, "unique": wanted, "failures": 0, "open": 0, "failed": 0,
    }  # fmt: skip
    names = {path.name for path in (installation.data / "pixels").glob("*/*") if not path.name.startswith(".new-")}
    assert all(len(name) == 62 for name in names)
    installation.end()
    assert installation.processes() == []
