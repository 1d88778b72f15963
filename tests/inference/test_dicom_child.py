"""The reader in its child process: same answer, nothing inherited, survives what kills the child."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.data.dicom import (
    FileReport,
    Progress,
    ReaderStoppedError,
    SeriesImage,
    read_folder,
    read_in_child,
)
from inference.data.dicom_child import NEEDED_MEMORY, _environment
from inference.data.dicom_folder import Resume, read_source
from inference.data.dicom_types import Limits
from tests.inference.dicom_factory import cine, compressed, dataset, head_ct, save


def slow_jpeg(rows: int, cols: int) -> bytes:
    """Return a lossless JPEG of equal samples, one bit each, that takes many seconds to decode."""
    table = b"\xff\xc4\x00\x14\x00" + bytes([1] + [0] * 15) + b"\x00"
    frame = b"\xff\xc3\x00\x0b\x10" + rows.to_bytes(2, "big") + cols.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00"
    return b"\xff\xd8" + table + frame + scan + bytes(rows * cols // 8) + b"\xff\xd9"


def folder(root: Path) -> Path:
    for number in range(3):
        save(dataset("CT", head_ct(seed=number), number), root / f"ct{number}.dcm")
    frames = np.arange(3 * 64 * 64, dtype=np.uint32).reshape(3, 64, 64).astype(np.uint8)
    save(cine(frames, SeriesInstanceUID="1.2.9"), root / "us.dcm")
    (root / "note.txt").write_text("hello")
    return root


def kept(events: Any) -> tuple[list[tuple[Any, ...]], list[FileReport]]:
    """Return the cases' content (copied out of the mapped files) and the reports."""
    cases, reports = [], []
    for event in events:
        if isinstance(event, SeriesImage):
            values = {name: value for name, value in vars(event).items() if name != "pixels"}
            cases.append((np.array(event.pixels).tobytes(), repr(values)))
        elif isinstance(event, FileReport):
            reports.append(event)
    return cases, reports


def test_the_child_gives_what_the_reader_gives_and_leaves_nothing(tmp_path: Path) -> None:
    root = folder(tmp_path / "in")
    assert kept(read_in_child(root, tmp_path / "out")) == kept(read_folder(root))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_kills_the_child_is_refused_and_the_rest_is_read_once(tmp_path: Path) -> None:
    root = folder(tmp_path / "in")
    bomb = dataset("CT", head_ct(), 9, Rows=8000, Columns=8000, SeriesInstanceUID="1.2.8")
    save(compressed(bomb, "1.2.840.10008.1.2.4.70", slow_jpeg(8000, 8000)), root / "ct1b.dcm")
    cases, reports = kept(read_in_child(root, tmp_path / "out", per_file_s=3))
    assert len(cases) == 2
    assert len(reports) == len({report.index for report in reports}) == 6
    reasons = {report.path: report.reason for report in reports}
    assert reasons.pop("ct1b.dcm") == NEEDED_MEMORY
    assert list((tmp_path / "out").iterdir()) == []
    (root / "ct1b.dcm").write_bytes(b"")
    again, others = kept(read_folder(root))
    assert again == cases
    assert {r.path: r.reason for r in others if r.path != "ct1b.dcm"} == reasons


def test_a_file_that_needs_more_memory_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "in")
    large = dataset("CT", np.zeros((8000, 8000), np.int16), SeriesInstanceUID="1.2.8")
    save(compressed(large, "1.2.840.10008.1.2.5"), root / "large.dcm")
    cases, reports = kept(read_in_child(root, tmp_path / "out", memory_mb=800))
    assert len(cases) == 2
    (reason,) = [report.reason for report in reports if report.path == "large.dcm"]
    assert "more memory" in reason


def test_a_reader_that_cannot_even_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ReaderStoppedError, match="check its memory limit"):
        list(read_in_child(folder(tmp_path / "in"), tmp_path / "out"))


def test_a_full_disk_is_nobodys_fault(tmp_path: Path) -> None:
    out = tmp_path / "out"
    events = read_source(folder(tmp_path / "in"), 512, Limits())
    for key in [event.group for event in events if hasattr(event, "group")]:
        (out / f"case-{key[:24]}.npy").mkdir(parents=True)  # a folder in the way cannot be written to either
    with pytest.raises(ReaderStoppedError, match="free disk space"):
        list(read_in_child(tmp_path / "in", out))


def test_stopping_early_ends_the_child_and_cleans_up(tmp_path: Path) -> None:
    events = read_in_child(folder(tmp_path / "in"), tmp_path / "out")
    assert isinstance(next(events), Progress)
    events.close()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_resumed_reader_repeats_no_group_and_opens_no_refused_file(tmp_path: Path) -> None:
    root = folder(tmp_path / "in")
    work = tmp_path / "work"
    work.mkdir()
    first = [event for event in read_source(root, 512, Limits(), work) if hasattr(event, "group")]
    resume = Resume({4: "Refused before."}, frozenset({0, 1, 2}), frozenset({first[0].group}))
    events = list(read_source(root, 512, Limits(), work, resume))
    assert [event.group for event in events if hasattr(event, "group")] == []
    reports = {event.path: event for event in events if isinstance(event, FileReport)}
    assert reports["us.dcm"].reason == "Refused before."
    assert [reports[f"ct{number}.dcm"].status for number in range(3)] == ["accepted"] * 3
    headers = [event.path for event in events if isinstance(event, Progress) and event.stage == "headers"]
    assert headers == ["note.txt"]


def test_the_child_inherits_no_secret_and_the_parent_no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READERSTUDY_SECRET_KEY", "canary")
    assert "canary" not in json.dumps(_environment())
    code = "import sys, inference.data.dicom; print('pydicom' in sys.modules, 'torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]


def test_the_command_writes_one_json_line_per_event(tmp_path: Path) -> None:
    root = folder(tmp_path / "in")
    command = [sys.executable, "-m", "inference.data.dicom", "--out", str(tmp_path / "out"), str(root)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {event["event"] for event in events} == {"progress", "report", "case", "end"}
    (first, _) = [event for event in events if event["event"] == "case"]
    assert np.load(tmp_path / "out" / first["pixels"]).shape == (3, 64, 64)
    missing = subprocess.run([*command[:-1], str(tmp_path / "no")], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "give a folder" in missing.stderr
