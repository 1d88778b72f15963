"""A backup is called after its second; a name that is taken is no reason to refuse one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from readerstudy.operations import backup


def test_a_second_whose_name_is_taken_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [datetime(2026, 11, 29, 3, 0, 38, tzinfo=UTC)]

    def wait(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    monkeypatch.setattr(backup, "datetime", SimpleNamespace(now=lambda _: now[0]))
    monkeypatch.setattr(backup, "time", SimpleNamespace(sleep=wait))
    for taken in ("readerstudy-20261129T030038Z", ".readerstudy-20261129T030039Z.unfinished"):
        (tmp_path / taken).mkdir()
    assert [path.name for path in backup._free_names(tmp_path)] == [
        "readerstudy-20261129T030040Z", ".readerstudy-20261129T030040Z.unfinished",
        "readerstudy-20261129T030040Z-unverified",
    ]  # fmt: skip
