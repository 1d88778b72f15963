"""Files made elsewhere that come back: one answer per file, read in a child process with limits.

    python -m inference.data.returned --out DIR [--start N] ROOT

is that child: it limits itself and writes one JSON line per file.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from inference.data.dicom_archive import FoundFile, find_files, is_zip, unpack_zip
from inference.data.dicom_types import Limits, RefusalError

MANIFEST = "manifest.json"
_MANIFEST_BYTES = 64 << 20
_FILE_SECONDS, _MEMORY_BYTES = 60, 2 << 30
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")

MULTI_FRAME = "The file holds several frames: write one DICOM file per slice, as in the export."
INVERTED = "The grey values are inverted (MONOCHROME1): write the file as MONOCHROME2."
NO_RESCALE = "Without RescaleSlope and RescaleIntercept its values have no unit: copy both from the input's file."
EIGHT_BITS = "Ultrasound comes back with 8 bits, grey 0 to 255: write it as in the export."
NOT_FINITE = "The rescaled values are not all numbers: write RescaleSlope and RescaleIntercept as finite numbers."
BROKE = "The file needed more memory or time than allowed, or broke its decoder: write it uncompressed."
NO_READER = "The DICOM reader cannot start: check its memory limit and the installation."


class ReturnError(ValueError):
    """Why nothing of a folder or zip can be read, in one sentence."""


@dataclass(frozen=True)
class Returned:
    """One file: why it is refused, or its values in physical units (rows, columns) and whom it was made from.

    ``references``: UIDs of source images, then its own. ``named``: the UID that a manifest beside it gives to its name.
    """

    path: str
    index: int
    refusal: str = ""
    modality: str = ""
    references: tuple[str, ...] = ()
    named: str = ""
    values: NDArray[np.float32] | None = field(default=None, compare=False)


def read_returned(root: Path, out: Path) -> Iterator[Returned]:
    """Read every file of a folder or zip, in the order of their names; `out` is scratch space.

    A file that ends the child is refused and a new child goes on behind it.
    """
    if not root.exists():
        raise ReturnError(f"There is nothing at {root}: give a folder or a zip of DICOM files.")
    out.mkdir(parents=True, exist_ok=True)
    start = 0
    while True:
        current: tuple[int, str] | None = None
        for message in _child(root, out, start):
            if message["event"] == "end":
                return
            if message["event"] == "failed":
                raise ReturnError(message["reason"])
            if message["event"] == "begin":
                current = (message["index"], message["path"])
                continue
            current = None
            start = message["index"] + 1
            yield _returned(message, out)
        if current is None:
            raise ReturnError(NO_READER)
        yield Returned(current[1], current[0], BROKE)
        start = current[0] + 1


def _child(root: Path, out: Path, start: int) -> Iterator[dict[str, Any]]:
    """The lines of one child; ends where the child ends, for whatever reason."""
    command = [sys.executable, "-m", "inference.data.returned", "--out", str(out), "--start", str(start), str(root)]
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # tracebacks may quote header values
        env=kept | threads | {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            if line.endswith(b"\n"):
                yield json.loads(line)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _returned(message: Mapping[str, Any], out: Path) -> Returned:
    values: NDArray[np.float32] | None = None
    if message.get("values"):
        stored = out / str(message["values"])
        values = np.load(stored, allow_pickle=False)
        stored.unlink()
    return Returned(
        message["path"], message["index"], message["refusal"], message.get("modality", ""),
        tuple(message.get("references", ())), message.get("named", ""), values,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """The child: limits itself, then one `begin` and one `file` per file, and `end`."""
    parser = argparse.ArgumentParser(prog="python -m inference.data.returned", description=__doc__)
    parser.add_argument("root", type=Path, help="folder, DICOM file or zip")
    parser.add_argument("--out", type=Path, required=True, help="folder for the values (.npy)")
    parser.add_argument("--start", type=int, default=0, help="number of the first file to read")
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # whatever a decoder prints must not mix with the events
    try:
        found = _files(options.root, options.out)
    except RefusalError as refusal:
        _write(events, {"event": "failed", "reason": str(refusal)})
        return 1
    _read_all(found, options.out, options.start, events)
    _write(events, {"event": "end"})
    return 0


def _read_all(found: list[FoundFile], out: Path, start: int, events: TextIO) -> None:
    from inference.data.dicom_headers import quiet_pydicom

    quiet_pydicom()
    names = _manifest(found)
    for index, file in enumerate(found):
        if index < start or Path(file.name).name == MANIFEST:
            continue
        # Nobody stops a stuck decoder but the kernel.
        signal.alarm(_FILE_SECONDS)
        _write(events, {"event": "begin", "index": index, "path": file.name})
        _write(events, {"event": "file", "index": index, "path": file.name, **_file(file, index, names, out)})
        signal.alarm(0)


def _files(root: Path, out: Path) -> list[FoundFile]:
    if not is_zip(root):
        return find_files(root)
    steps = unpack_zip(root, out / "unpacked", Limits())
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: list[FoundFile] = done.value
            return found


def _manifest(found: list[FoundFile]) -> Mapping[str, str]:
    """File name to UID by a manifest of ours that came back with the files; anything else counts for nothing."""
    for file in found:
        if Path(file.name).name == MANIFEST and file.path and not file.refusal:
            path = Path(file.path)
            try:
                if path.is_symlink() or path.stat().st_size > _MANIFEST_BYTES:
                    continue
                items = json.loads(path.read_text(encoding="utf-8"))["items"]
                return {str(item["file"]): str(item["sop_instance_uid"]) for item in items}
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return {}


def _file(file: FoundFile, index: int, names: Mapping[str, str], out: Path) -> dict[str, Any]:
    if file.refusal:
        return {"refusal": file.refusal}
    try:
        modality, references, values = _image(Path(file.path), index, file.name)
    except RefusalError as refusal:
        return {"refusal": str(refusal)}
    np.save(out / f"{index:06d}.npy", values, allow_pickle=False)
    parts = file.name.split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts)))  # the folder may lie inside another
    named = next((names[tail] for tail in tails if tail in names), "")
    return {
        "refusal": "", "modality": modality, "references": references, "named": named,
        "values": f"{index:06d}.npy",
    }  # fmt: skip


def _image(path: Path, index: int, name: str) -> tuple[str, list[str], NDArray[np.float32]]:
    """Modality, references and physical values of one file; raises RefusalError."""
    from inference.data.dicom_headers import read_header
    from inference.data.dicom_pixels import decode_frames

    header = read_header(path, index, name, Limits(min_side=1))
    if len(header.frames) != 1:
        raise RefusalError(MULTI_FRAME)
    if header.monochrome1:
        raise RefusalError(INVERTED)
    if header.modality == "US" and header.bits_stored != 8:
        raise RefusalError(EIGHT_BITS)
    references, has_rescale = _references(path)
    if header.modality != "US" and not has_rescale:
        raise RefusalError(NO_RESCALE)
    raw, _ = next(iter(decode_frames(path, header, [0])))
    frame = header.frames[0]
    values = (raw * frame.slope + frame.intercept).astype(np.float32)
    if not np.isfinite(values).all():
        raise RefusalError(NOT_FINITE)
    return header.modality, [*references, header.sop_instance], values


def _references(path: Path) -> tuple[list[str], bool]:
    """UIDs of the images that the file was made from, and whether it states its rescale."""
    import pydicom

    from inference.data.dicom_headers import DAMAGED

    try:
        ds = pydicom.dcmread(
            path,
            stop_before_pixels=True,
            specific_tags=[
                "SourceImageSequence", "ReferencedImageSequence", "ReferencedSOPInstanceUID", "RescaleSlope",
                "RescaleIntercept",
            ],
        )  # fmt: skip
        items = [*(ds.get("SourceImageSequence") or []), *(ds.get("ReferencedImageSequence") or []), ds]
        found = [str(item.get("ReferencedSOPInstanceUID") or "") for item in items]
        has_rescale = ds.get("RescaleSlope") is not None and ds.get("RescaleIntercept") is not None
    except Exception as error:  # pydicom raises many types on hostile bytes; one file must not stop the import
        raise RefusalError(DAMAGED) from error
    return [uid for uid in found if uid], has_rescale


def _write(events: TextIO, message: dict[str, Any]) -> None:
    events.write(json.dumps(message) + "\n")
    events.flush()


if __name__ == "__main__":
    sys.exit(main())
