"""Both passes over a folder or zip, as one stream of events that can be taken up again where it broke off."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference.data.dicom_archive import FoundFile, find_files, is_zip, unpack_zip
from inference.data.dicom_cases import DUPLICATE, Sources, read_group
from inference.data.dicom_grouping import Series, group_series
from inference.data.dicom_headers import Frame, Header, quiet_pydicom, read_header
from inference.data.dicom_types import FileReport, Limits, Progress, RefusalError, SeriesImage

ACCEPTED = "Accepted."
_CACHE = "headers.jsonl"


@dataclass(frozen=True)
class Resume:
    """What an earlier reader of the same folder had settled before it was stopped."""

    refused: Mapping[int, str] = field(default_factory=dict)
    accepted: frozenset[int] = frozenset()
    done_groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """A case with the key of its group."""

    group: str
    image: SeriesImage


Event = FileReport | Progress | Case


def read_source(
    root: Path, max_matrix: int, limits: Limits, work: Path | None = None, resume: Resume | None = None
) -> Iterator[Event]:
    """Read headers first, then pixels one series at a time; `work` keeps files and headers for a restart."""
    if work is None:
        with tempfile.TemporaryDirectory(prefix="dicom-") as temporary:
            yield from _read(root, max_matrix, limits, Path(temporary), resume or Resume())
    else:
        yield from _read(root, max_matrix, limits, work, resume or Resume())


def _read(root: Path, max_matrix: int, limits: Limits, work: Path, resume: Resume) -> Iterator[Event]:
    quiet_pydicom()
    if not is_zip(root):
        found = find_files(root)
    else:
        try:
            found = yield from unpack_zip(root, work / "unpacked", limits)
        except RefusalError as refusal:
            yield FileReport(root.name, "refused", str(refusal), 0)
            return
    headers: list[Header] = []
    for event in _read_headers(found, limits, work / _CACHE, resume):
        if isinstance(event, Header):
            headers.append(event)
        else:
            yield event
    paths = {index: Path(file.path) for index, file in enumerate(found)}
    done, total = 0, len(headers)
    for series in group_series(headers):
        for step in _read_series(series, found, paths, max_matrix, limits, resume):
            if isinstance(step, Header):
                yield Progress("pixels", min(done, total), total, step.path, step.index)
                done += 1
            else:
                yield step


def _read_headers(
    found: list[FoundFile], limits: Limits, cache: Path, resume: Resume
) -> Iterator[Header | FileReport | Progress]:
    known = _load_headers(cache)
    with cache.open("a") as file:
        for index, entry in enumerate(found):
            if index in resume.refused:
                yield FileReport(entry.name, "refused", resume.refused[index], index)
                continue
            if index in known:
                yield known[index]
                continue
            yield Progress("headers", index, len(found), entry.name, index)
            try:
                if entry.refusal:
                    raise RefusalError(entry.refusal)
                header = read_header(Path(entry.path), index, entry.name, limits)
            except (RefusalError, OSError) as error:
                reason = str(error) if isinstance(error, RefusalError) else "The file cannot be opened: copy it again."
                yield FileReport(entry.name, "refused", reason, index)
                continue
            file.write(json.dumps(asdict(header)) + "\n")
            file.flush()
            yield header


def _load_headers(cache: Path) -> dict[int, Header]:
    if not cache.exists():
        return {}
    # The last line may be cut off where the reader was killed while writing it.
    lines = (line for line in cache.read_text().splitlines() if line.endswith("}"))
    return {header.index: header for header in map(_header_from_json, lines)}


def _header_from_json(line: str) -> Header:
    fields: dict[str, Any] = json.loads(line)
    frames = tuple(Frame(**{name: _tupled(value) for name, value in frame.items()}) for frame in fields.pop("frames"))
    return Header(frames=frames, **{name: _tupled(value) for name, value in fields.items()})


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_series(
    series: Series,
    found: list[FoundFile],
    paths: dict[int, Path],
    max_matrix: int,
    limits: Limits,
    resume: Resume,
) -> Iterator[Header | FileReport | Case]:
    accepted = {index for index in series.indices if index in resume.accepted}
    refused: dict[int, str] = {}
    sources = Sources(series.copies, paths)
    for group in series.groups:
        key = group.key
        if key in resume.done_groups:
            continue
        outcome = yield from read_group(group, sources, max_matrix, limits)
        accepted |= outcome.accepted
        refused.update(outcome.refused)
        if outcome.image is not None:
            yield Case(key, outcome.image)
    for index in series.indices:
        if index in accepted:
            yield FileReport(found[index].name, "accepted", ACCEPTED, index)
        else:
            yield FileReport(found[index].name, "refused", refused.get(index, DUPLICATE), index)
