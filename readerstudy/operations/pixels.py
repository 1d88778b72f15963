"""The pixel files that a database names: which they are, and how they are kept in a second place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from readerstudy.cases import store
from readerstudy.cases.models import Slice
from readerstudy.cases.store import NAME
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Frame, PracticeImage
from readerstudy.studies.models import StudyImage

COLUMNS = (
    (Slice, "pixels"), (Reconstruction, "pixels"), (Reconstruction, "uncertainty"), (Reconstruction, "features"),
    (StudyImage, "pixels"), (Frame, "pixels"), (PracticeImage, "pixels"),
)  # fmt: skip
BLOCK = 1 << 20
Say = Callable[[str], None]


def named(using: str) -> list[str]:
    """The names of all pixel files that the rows of a database refer to, sorted."""
    found: set[str] = set()
    for model, column in COLUMNS:
        rows = model._base_manager.using(using).exclude(**{column: ""}).order_by()
        found.update(rows.values_list(column, flat=True).distinct().iterator())
    return sorted(found)


def place(root: Path, name: str) -> Path:
    """Where a store below ``root`` keeps a file, as ``cases.store`` does."""
    return root / name[:2] / name[2:]


def holds(root: Path, name: str) -> bool:
    """Whether the file is there and its bytes still hash to its name."""
    return bool(NAME.fullmatch(name)) and sha256(place(root, name)) == name


def sha256(path: Path) -> str:
    """The file's SHA-256; empty where it can't be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def live() -> Path | None:
    """The folder of the installation's own store; None where that is a bucket, which only ``cases.store`` reaches."""
    return None if settings.PIXELS_BUCKET else settings.PIXELS_DIR


def where() -> str:
    return f"the bucket {settings.PIXELS_BUCKET.name}" if settings.PIXELS_BUCKET else f"{settings.PIXELS_DIR}"


def lost(names: list[str], root: Path | None) -> list[str]:
    """The names whose files are missing or damaged, in the installation's own bucket where ``root`` is None."""
    return [name for name in names if not _sound(name, root)]


def keep_all(
    names: list[str], source: Path | None, target: Path, *, earlier: Path | None = None, link: bool
) -> list[str]:
    """Bring files into a second folder and return the names of those that are missing or damaged in the first.

    With ``link`` a file is linked where the file system allows it; ``earlier`` is a store whose files may stand in.
    """
    missing, folders = [], {target}
    for name in names:
        origins: list[Path | None] = [source]
        if not _sound(name, source):
            missing.append(name)
            origins = []
        if earlier is not None and holds(earlier, name):
            origins.append(earlier)
        # A link to the live file costs nothing; where it can't be had, one to an earlier backup's does neither.
        if not (link and any(_linked(name, origin, target) for origin in origins)) and origins:
            _copied(name, origins[0], target)
        folders.add(place(target, name).parent)
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        sync_folder(folder)
    return missing


def put_all(names: list[str], source: Path) -> list[str]:
    """Bring a folder's files into the installation's own store and return the names of those that it then lacks."""
    if (root := live()) is not None:
        root.mkdir(parents=True, exist_ok=True)
        return keep_all(names, source, root, link=False)
    for name in names:
        store.put(place(source, name).read_bytes())
    return lost(names, None)


def _sound(name: str, root: Path | None) -> bool:
    if root is not None:
        return holds(root, name)
    try:
        store.verify(name)
    except store.PixelsMissing:
        return False
    return True


def _linked(name: str, source: Path | None, target: Path) -> bool:
    if source is None:
        return False
    to = place(target, name)
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(place(source, name), to)
    except OSError:
        return False
    return True


def _copied(name: str, source: Path | None, target: Path) -> None:
    """A copy with the right bytes; what lies there already may be it."""
    if holds(target, name):
        return
    to = place(target, name)
    to.parent.mkdir(parents=True, exist_ok=True)
    with io.BytesIO(store.get(name)) if source is None else place(source, name).open("rb") as stream:
        copy(stream, to)
    if not holds(target, name):
        raise OSError(errno.EIO, "what was written there can't be read again", f"{to}")


def copy(stream: BinaryIO, to: Path) -> None:
    """A durable copy that has its name only when it is whole."""
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=to.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(stream, target, BLOCK)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, to)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
