"""Scratch folders go away, also those of a process that was killed; those in use stay."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from readerstudy.cases.scratch import clean_up, scratch

HOLDER = """
import sys, time
from pathlib import Path
from django.conf import settings
settings.configure(DATA_DIR=Path(sys.argv[1]))
from readerstudy.cases.scratch import scratch
with scratch() as folder:
    (folder / "patient.dcm").write_text("Doe^Jane")
    print(folder, flush=True)
    time.sleep(60)
"""


def folders(installation: Path) -> list[Path]:
    return [path for path in (installation / "scratch").iterdir() if path.is_dir()]


def test_a_folder_is_gone_afterwards_and_after_an_error(installation: Path) -> None:
    with scratch() as first, scratch() as second:
        (first / "a").write_text("a")
        assert first != second
    with pytest.raises(ValueError, match="broken"), scratch():
        raise ValueError("broken")
    assert folders(installation) == []


def test_a_killed_process_leaves_nothing_for_long_and_a_living_one_is_left_alone(installation: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(installation)]
    root = Path(__file__).resolve().parents[2]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        assert holder.stdout is not None
        held = Path(holder.stdout.readline().strip())
        with scratch():
            assert (held / "patient.dcm").exists()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert (held / "patient.dcm").exists()
        clean_up()
        assert not held.exists()
    finally:
        holder.kill()
        holder.wait()
    assert folders(installation) == []
