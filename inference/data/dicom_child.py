"""Read untrusted DICOM in a child process that may be killed by it; imports no pydicom."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inference.data.dicom_types import FileReport, Progress, SeriesImage

NEEDED_MEMORY = "The file needed more memory or time than allowed, or broke its decoder: export it uncompressed."
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")


class ReaderStoppedError(RuntimeError):
    """The child ended for a reason that no single file explains."""


@dataclass
class _State:
    """What is settled so far, so that a new child neither repeats nor loses anything."""

    refused: dict[int, str] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)
    done_groups: set[str] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)
    current: Progress | None = None
    ended: bool = False

    def save(self, path: Path) -> None:
        settled = {
            "refused": self.refused,
            "accepted": sorted(self.accepted),
            "done_groups": sorted(self.done_groups),
        }
        path.write_text(json.dumps(settled))


def read_in_child(
    root: Path,
    out: Path,
    *,
    memory_mb: int = 2048,
    cpu_s: int | None = None,
    per_file_s: int = 30,
    max_matrix: int = 512,
) -> Iterator[FileReport | SeriesImage | Progress]:
    """Yield what `read_folder` yields, from a child limited to so much memory and so many seconds per file.

    A file that ends the child is refused and a new child goes on behind it. `out` is scratch space: a
    case's pixels are memory-mapped from it, and its file is unlinked when the next event is asked for.
    `cpu_s` limits the processor time of each child as a whole. Raises ReaderStoppedError where no file is
    to blame.
    """
    if not root.exists():
        raise FileNotFoundError(f"There is nothing at {root}: give a folder, a DICOM file or a zip.")
    out.mkdir(parents=True, exist_ok=True)
    state = _State()
    command = [
        sys.executable,
        "-m",
        "inference.data.dicom",
        "--out",
        str(out),
        "--max-matrix",
        str(max_matrix),
    ]
    command += ["--memory-mb", str(memory_mb), "--per-file-s", str(per_file_s)]
    command += [] if cpu_s is None else ["--cpu-s", str(cpu_s)]
    try:
        while not state.ended:
            settled = out / "settled.json"
            state.save(settled)
            yield from _one_child([*command, "--resume", str(settled), str(root)], out, state, per_file_s)
            if not state.ended:
                yield from _blame(state)
    finally:
        _clean(out)


def _one_child(
    command: list[str], out: Path, state: _State, per_file_s: int
) -> Iterator[FileReport | SeriesImage | Progress]:
    state.current = None
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # tracebacks may quote header values
        env=_environment(),
        start_new_session=True,
    )
    try:
        for message in _messages(child, per_file_s):
            yield from _event(message, out, state)
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _environment() -> dict[str, str]:
    """Return an environment without the parent's secrets, with one thread per numerical library."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    package_root = str(Path(__file__).resolve().parents[2])
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return kept | threads | {"PYTHONPATH": package_root, "PYTHONDONTWRITEBYTECODE": "1"}


def _messages(child: subprocess.Popen[bytes], per_file_s: int) -> Iterator[dict[str, Any]]:
    """Yield the child's lines; stop where it ends, or is silent for twice a file's time."""
    assert child.stdout is not None
    descriptor, held = child.stdout.fileno(), b""
    deadline = time.monotonic() + 2 * per_file_s + 30
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(descriptor, 1 << 16) if ready else b""
        if not piece:
            return
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            yield json.loads(line)
        # Only the time in which we wait for the child counts, not the caller's between two events.
        deadline = time.monotonic() + 2 * per_file_s


def _event(message: dict[str, Any], out: Path, state: _State) -> Iterator[FileReport | SeriesImage | Progress]:
    kind = message.pop("event")
    if kind == "progress":
        state.current = Progress(**message)
        yield state.current
    elif kind == "report":
        report = FileReport(**message)
        if report.index not in state.reported:
            state.reported.add(report.index)
            if report.status == "refused":
                state.refused[report.index] = report.reason
            yield report
    elif kind == "case":
        state.done_groups.add(message.pop("group"))
        state.accepted.update(message["files"])
        stored = out / message.pop("pixels")
        pixels = np.load(stored, mmap_mode="r", allow_pickle=False)
        try:
            yield _image(message, pixels)
        finally:
            stored.unlink(missing_ok=True)
    elif kind == "failed":
        reason = message["reason"]
        raise ReaderStoppedError(reason) from OSError(message["errno"], reason)
    elif kind == "end":
        state.ended = True


def _image(message: dict[str, Any], pixels: Any) -> SeriesImage:
    return SeriesImage(pixels=pixels, **{name: _tuples(value) for name, value in message.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


def _blame(state: _State) -> Iterator[FileReport]:
    """Refuse the file that the child was reading when it ended."""
    blamed = state.current
    if blamed is None:
        raise ReaderStoppedError("The DICOM reader cannot start: check its memory limit and the installation.")
    if blamed.stage == "unpack" or blamed.index in state.refused:
        raise ReaderStoppedError("The DICOM reader was stopped between two files: import fewer files at a time.")
    state.refused[blamed.index] = NEEDED_MEMORY
    state.reported.add(blamed.index)
    yield FileReport(blamed.path, "refused", NEEDED_MEMORY, blamed.index)


def _clean(out: Path) -> None:
    """Remove what the children left: it holds raw identifiers."""
    for name in ("settled.json", "headers.jsonl"):
        (out / name).unlink(missing_ok=True)
    for stored in out.glob("case-*.npy"):
        if stored.is_file():
            stored.unlink(missing_ok=True)
    shutil.rmtree(out / "unpacked", ignore_errors=True)
