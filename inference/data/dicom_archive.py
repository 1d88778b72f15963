"""Find the files of a folder, or unpack a zip under our own names; nothing in it chooses where it lands."""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from inference.data.dicom_types import Limits, Progress, RefusalError

_INDEX = "index.json"
_CHUNK = 1 << 20
_SMALL = 10 << 20  # a member below this size may compress as well as it likes
OUTSIDE = "The archive places this file outside its own folder: pack the folder again."
BOMB = "The archive unpacks to far more than its size: import the folder itself instead."
TOO_MUCH = "The archive unpacks to more than this installation allows: import it in smaller parts."


@dataclass(frozen=True)
class FoundFile:
    """A file to read: where it lies, how reports call it, and why it is refused before being opened."""

    path: str
    name: str
    refusal: str = ""


def find_files(root: Path) -> list[FoundFile]:
    """Return a folder's files (links are listed, not followed) or the one file, sorted by name."""
    if not root.is_dir():
        return [FoundFile(str(root), root.name)]
    found = [
        FoundFile(os.path.join(folder, name), str(Path(folder, name).relative_to(root)))
        for folder, _, names in os.walk(root, followlinks=False)
        for name in names
    ]
    return sorted(found, key=lambda file: file.name)


def is_zip(root: Path) -> bool:
    """Tell by its first bytes whether a file is a zip archive."""
    if not root.is_file():
        return False
    with root.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def unpack_zip(archive: Path, folder: Path, limits: Limits) -> Generator[Progress, None, list[FoundFile]]:
    """Unpack into `folder`, yielding progress; return every member, refused ones included.

    A finished `folder` is recognised and used again. Raises RefusalError where the archive itself is damaged.
    """
    index = folder / _INDEX
    if index.exists():
        return [FoundFile(**entry) for entry in json.loads(index.read_text())]
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) > limits.max_zip_members:
                raise RefusalError("The archive holds more files than this installation allows: split it.")
            found = yield from _unpack_members(opened, members, folder, limits)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise RefusalError("The archive is damaged and cannot be unpacked: pack and upload it again.") from error
    found.sort(key=lambda file: file.name)
    index.write_text(json.dumps([asdict(file) for file in found]))
    return found


def _unpack_members(
    opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, limits: Limits
) -> Generator[Progress, None, list[FoundFile]]:
    found: list[FoundFile] = []
    budget = limits.max_zip_bytes
    for number, member in enumerate(members):
        yield Progress("unpack", number, len(members), _printable(member.filename))
        target = folder / f"{number:06d}"
        try:
            _check_member(member, budget, limits)
            budget -= _unpack_member(opened, member, target, budget)
            found.append(FoundFile(str(target), _printable(member.filename)))
        except RefusalError as refusal:
            target.unlink(missing_ok=True)
            found.append(FoundFile("", _printable(member.filename), str(refusal)))
    return found


def _check_member(member: zipfile.ZipInfo, budget: int, limits: Limits) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
        raise RefusalError(OUTSIDE)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise RefusalError("Not a regular file (a link or device): pack the file itself.")
    if member.flag_bits & 1:
        raise RefusalError("The archive is encrypted: pack it without a password.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusalError("The archive uses an unusual compression: pack it again as an ordinary zip.")
    if member.file_size > _SMALL and member.file_size > limits.max_zip_ratio * max(member.compress_size, 1):
        raise RefusalError(BOMB)
    if member.file_size > budget:
        raise RefusalError(TOO_MUCH)


def _unpack_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, budget: int) -> int:
    """Write one member and return its size; the declared size is a promise that is checked while writing."""
    written = 0
    try:
        with opened.open(member) as source, target.open("wb") as sink:
            for chunk in _chunks(source):
                written += len(chunk)
                if written > min(member.file_size, budget):
                    raise RefusalError(BOMB)
                sink.write(chunk)
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise RefusalError("This file is damaged inside the archive: pack and upload it again.") from error
    return written


def _chunks(source: object) -> Iterator[bytes]:
    read = source.read  # type: ignore[attr-defined]  # zipfile's reader, or any binary file
    while chunk := read(_CHUNK):
        yield chunk


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:400]
