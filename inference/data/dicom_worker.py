"""The child process that reads untrusted DICOM: limits itself, then writes one JSON line per event."""

import argparse
import json
import os
import resource
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from inference.data.dicom_folder import Case, Resume, read_source
from inference.data.dicom_types import FileReport, Limits, Progress, SeriesImage

SCRATCH_FULL = "The scratch folder of the DICOM reader cannot be written: free disk space and import again."


def main(arguments: list[str] | None = None) -> int:
    """Run the reader of the command line; return the exit status."""
    options = _options(arguments)
    if not options.root.exists():
        print(f"There is nothing at {options.root}: give a folder, a DICOM file or a zip.", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (options.memory_mb << 20, options.memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    events = _own_stdout()
    try:
        _stream(options, events)
    except OSError as error:  # no file of the import is to blame for a full disk
        _write(events, {"event": "failed", "reason": SCRATCH_FULL, "errno": error.errno})
        return 1
    return 0


def _stream(options: argparse.Namespace, events: TextIO) -> None:
    resume = _resume(options.resume)
    for event in read_source(options.root, options.max_matrix, Limits(), options.out, resume):
        if isinstance(event, Progress):
            _allow_cpu(options.per_file_s, options.cpu_s)
            _write(events, {"event": "progress", **asdict(event)})
        elif isinstance(event, FileReport):
            _write(events, {"event": "report", **asdict(event)})
        else:
            _write(events, _save_case(event, options.out))
    _write(events, {"event": "end"})


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m inference.data.dicom", description=__doc__)
    parser.add_argument("root", type=Path, help="folder, DICOM file or zip")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pixels of the cases (.npy)")
    parser.add_argument("--max-matrix", type=int, default=512, help="largest rows or columns of a case")
    parser.add_argument("--memory-mb", type=int, default=2048, help="address space of this process")
    parser.add_argument("--per-file-s", type=int, default=30, help="processor seconds for one file")
    parser.add_argument("--cpu-s", type=int, default=None, help="processor seconds in all (default: no limit)")
    parser.add_argument("--resume", type=Path, default=None, help="JSON file of what an earlier run has settled")
    return parser.parse_args(arguments)


def _own_stdout() -> TextIO:
    """Keep the pipe for events and send whatever a decoder prints to nowhere."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return events


def _allow_cpu(per_file_s: int, cpu_s: int | None) -> None:
    """Move the processor limit to what is used so far and one more file; past it the kernel ends us."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime) + per_file_s + 1
    hard = resource.RLIM_INFINITY if cpu_s is None else cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (soft if cpu_s is None else min(soft, cpu_s), hard))


def _write(events: TextIO, message: dict[str, Any]) -> None:
    events.write(json.dumps(message) + "\n")
    events.flush()


def _save_case(case: Case, out: Path) -> dict[str, Any]:
    name = f"case-{case.group[:24]}.npy"
    np.save(out / name, case.image.pixels, allow_pickle=False)
    values = {part.name: getattr(case.image, part.name) for part in fields(SeriesImage) if part.name != "pixels"}
    return {"event": "case", "group": case.group, "pixels": name, **values}


def _resume(path: Path | None) -> Resume:
    if path is None:
        return Resume()
    settled = json.loads(path.read_text())
    refused = {int(index): str(reason) for index, reason in settled["refused"].items()}
    return Resume(refused, frozenset(settled["accepted"]), frozenset(settled["done_groups"]))
