"""Sort the files of a folder into cases: one series, one geometry, one echo, one time point each."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from inference.data.dicom_describe import slice_normal
from inference.data.dicom_headers import Frame, Header
from inference.data.dicom_refusals import LOSSY, UNCOMPRESSED


@dataclass(frozen=True)
class Item:
    """One frame of one file and its place in the case."""

    header: Header
    frame: Frame
    place: float


@dataclass(frozen=True)
class Group:
    """The frames of one case in their order, and how many cases its series gave."""

    items: tuple[Item, ...]
    siblings: int

    @property
    def key(self) -> str:
        """Name the group by its files and frames, so that it is known again after a restart."""
        members = "".join(f"{item.header.index}:{item.frame.number};" for item in self.items)
        return hashlib.sha256(members.encode()).hexdigest()


@dataclass(frozen=True)
class Series:
    """The files of one series: groups to read, and for each SOP instance its files, the best source first."""

    groups: tuple[Group, ...]
    copies: dict[int, tuple[Header, ...]]
    indices: tuple[int, ...]


def group_series(headers: Iterable[Header]) -> Iterator[Series]:
    """Yield the series in the order in which their first file was found."""
    series: dict[Hashable, list[Header]] = {}
    for header in headers:
        key = (header.patient_key, header.study_key, header.series_key, header.modality)
        series.setdefault(key, []).append(header)
    for members in series.values():
        yield _series(members)


def _series(members: list[Header]) -> Series:
    instances: dict[str, list[Header]] = {}
    for header in sorted(members, key=_preference):
        instances.setdefault(header.sop_instance, []).append(header)
    copies = {found[0].index: tuple(found) for found in instances.values()}
    firsts = sorted((found[0] for found in instances.values()), key=lambda header: header.index)
    parts = [part for group in _same_geometry(firsts) for part in _without_repeats(group)]
    groups = tuple(Group(tuple(part), len(parts)) for part in parts)
    return Series(groups, copies, tuple(header.index for header in members))


def _preference(header: Header) -> tuple[bool, bool, int]:
    return header.transfer_syntax in LOSSY, header.transfer_syntax not in UNCOMPRESSED, header.index


def _same_geometry(headers: list[Header]) -> Iterator[list[Item]]:
    groups: dict[Hashable, list[Item]] = {}
    for header in headers:
        for frame in header.frames:
            key: tuple[Hashable, ...] = (header.rows, header.cols, _rounded(frame.spacing, 4))
            if header.modality == "US":
                key += (header.index if header.cine else None,)
            else:
                key += (_rounded(frame.orientation, 2), frame.echo, header.component, header.monochrome1)
            groups.setdefault(key, []).append(Item(header, frame, _place(header, frame)))
    yield from groups.values()


def _rounded(values: tuple[float, ...] | None, digits: int) -> tuple[float, ...] | None:
    # Adding zero turns -0.0, which is another key, into 0.0.
    return None if values is None else tuple(round(value, digits) + 0.0 for value in values)


def _place(header: Header, frame: Frame) -> float:
    """Return where along the normal a frame lies in mm; its number where the header gives no position."""
    if header.cine:
        return float(frame.number)
    if header.modality == "US" or frame.position is None or frame.orientation is None:
        return float(frame.instance + frame.number)
    return float(np.dot(slice_normal(frame.orientation), frame.position))


def _without_repeats(items: list[Item]) -> list[list[Item]]:
    """Split a group in which places repeat: by time, diffusion, stack or acquisition, else by occurrence."""
    ordered = sorted(items, key=lambda item: (round(item.place, 3), item.frame.instance, item.header.index))
    if not _repeats(ordered):
        return [ordered]
    if items[0].header.modality == "US":
        return [ordered]
    for which in range(len(items[0].frame.splits)):
        parts = _split(ordered, _split_key(which))
        if len(parts) > 1 and not any(_repeats(part) for part in parts):
            return parts
    seen: dict[float, int] = {}
    occurrence: dict[int, int] = {}
    for number, item in enumerate(ordered):
        place = round(item.place, 3)
        occurrence[number] = seen[place] = seen.get(place, -1) + 1
    return [
        [item for number, item in enumerate(ordered) if occurrence[number] == turn]
        for turn in range(max(seen.values()) + 1)
    ]


def _split_key(which: int) -> Callable[[Item], str]:
    return lambda item: item.frame.splits[which]


def _split(items: list[Item], key: Callable[[Item], str]) -> list[list[Item]]:
    parts: dict[str, list[Item]] = {}
    for item in items:
        parts.setdefault(key(item), []).append(item)
    return list(parts.values())


def _repeats(items: list[Item]) -> bool:
    places = [round(item.place, 3) for item in items]
    return len(set(places)) < len(places)
