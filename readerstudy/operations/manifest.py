"""``manifest.json`` of a backup: what it holds, and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.conf import settings

from readerstudy.jobs.startup import Refusal
from readerstudy.operations import pixels

NAME = "manifest.json"
KEY_FILE = "secret_key"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """``engine`` is sqlite or postgresql; ``rows`` and ``digests`` go by table, ``chains`` gives each one's head."""

    version: str
    made_at: str
    engine: str
    migrations: dict[str, str]
    rows: dict[str, int]
    digests: dict[str, str]
    chains: dict[str, str]
    files: dict[str, str]
    missing_pixels: list[str]
    key_mark: str

    def write(self, folder: Path) -> None:
        path = folder / NAME
        path.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n")
        os.chmod(path, 0o600)
        pixels.sync_file(path)


def read(folder: Path) -> Manifest:
    path = folder / NAME
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = content.pop("format")
        if found != FORMAT:
            raise Refusal(f"{path} has format {found}: take the version of the product that made this backup.")
        return Manifest(**content)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            f"{path} can't be read ({getattr(error, 'strerror', None) or 'damaged'}): "
            "name the folder of a whole backup, readerstudy-…Z."
        ) from None


def wrong_files(folder: Path, manifest: Manifest) -> list[str]:
    """One sentence per file that is missing or no longer what was backed up."""
    faults = []
    for name, digest in sorted(manifest.files.items()):
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            faults.append(f"{name} is missing in the backup.")
        elif pixels.sha256(path) != digest:
            faults.append(f"{name} is not what was backed up: its SHA-256 differs.")
    return faults


def product_version() -> str:
    try:
        return version("readerstudy")
    except PackageNotFoundError:
        return str(settings.SPECTACULAR_SETTINGS["VERSION"])


def key_mark(key: str) -> str:
    """By which a signing key is recognised without being told."""
    return hmac.new(key.encode(), b"readerstudy backup", hashlib.sha256).hexdigest()[:16]


def key_file() -> Path | None:
    """The file of the signing key, where this installation has its key from the data folder."""
    path: Path = settings.DATA_DIR / KEY_FILE
    own = path.is_file() and path.read_text().strip() == settings.SECRET_KEY
    return path if own else None
