"""One consistent backup of an installation, and the proof that it can be restored."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from readerstudy.jobs.startup import Refusal
from readerstudy.operations import checks, manifest, pixels, tables
from readerstudy.operations.aliases import opened
from readerstudy.operations.engines import Engine, engine
from readerstudy.operations.manifest import Manifest
from readerstudy.operations.pixels import Say

LIVE, CHECK = "operations_live", "operations_check"
PIXELS = "pixels"
UNVERIFIED = "-unverified"
ADVICE = "See with `manage.py verify_study` whether the installation itself has it, and take another backup."


def make(to: Path, say: Say) -> Path:
    """Write a backup below ``to``, try its restore, and return its folder; raises ``Refusal`` unless all held."""
    if not tables.is_current(connection):
        raise Refusal(
            "The database is not that of this version of the product: back it up with the version that it belongs to, "
            "or run `manage.py prepare` first."
        )
    try:
        to.mkdir(parents=True, exist_ok=True)
        folder, unfinished, unverified = _free_names(to)
        unfinished.mkdir(mode=0o700)
    except OSError as error:
        raise Refusal(f"{to} can't be written ({error.strerror}): give another folder to --to.") from None
    try:
        made = _write(unfinished, _latest(to), say)
        # Until its restore has held it bears a name that says so, whatever ends this process.
        os.rename(unfinished, unverified)
        pixels.sync_folder(to)
    except OSError as error:
        raise Refusal(f"{to} can't be written ({error.strerror}): make room there or give another --to.") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _verify(unverified, made, say)
    os.rename(unverified, folder)
    pixels.sync_folder(to)
    return folder


def _free_names(to: Path) -> tuple[Path, Path, Path]:
    """What a backup is called at the end, while it is written and until its restore has held: after this second, or
    after the next one where another backup is called so."""
    while True:
        name = f"readerstudy-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        names = to / name, to / f".{name}.unfinished", to / f"{name}{UNVERIFIED}"
        if not any(path.exists() for path in names):
            return names
        time.sleep(0.1)


def check(folder: Path, say: Say) -> None:
    """Hash every file of a backup and try its restore; raises ``Refusal`` unless all held."""
    found = manifest.read(folder)
    say(f"Hashing {len(found.files)} files …")
    if faults := manifest.wrong_files(folder, found):
        raise Refusal(f"{folder} is damaged: {checks.told(faults)} Use another backup.")
    _verify(folder, found, say)


def _write(folder: Path, earlier: Path | None, say: Say) -> Manifest:
    """Database, pixels and manifest, as they were at one moment: pixels are never changed once a row names them."""
    kind = engine(connection.vendor)
    with kind.frozen(LIVE) as live:
        say("Copying the database …")
        kind.write(live, folder / kind.DUMP)
        names = pixels.named(LIVE)
        facts = _facts(live)
    os.chmod(folder / kind.DUMP, 0o600)
    pixels.sync_file(folder / kind.DUMP)
    say(f"Keeping {len(names)} pixel files …")
    (folder / PIXELS).mkdir()
    missing = pixels.keep_all(names, pixels.live(), folder / PIXELS, earlier=earlier, link=True)
    files = {kind.DUMP: pixels.sha256(folder / kind.DUMP)}
    # Each was hashed where it lies, and found to be what its name says.
    files |= {f"{PIXELS}/{n[:2]}/{n[2:]}": n for n in names if pixels.place(folder / PIXELS, n).is_file()}
    if (key := manifest.key_file()) is not None:
        shutil.copyfile(key, folder / manifest.KEY_FILE)
        os.chmod(folder / manifest.KEY_FILE, 0o600)
        pixels.sync_file(folder / manifest.KEY_FILE)
        files[manifest.KEY_FILE] = pixels.sha256(folder / manifest.KEY_FILE)
    made = Manifest(**facts, files=files, missing_pixels=missing)
    made.write(folder)
    pixels.sync_folder(folder)
    return made


def _facts(live: BaseDatabaseWrapper) -> dict[str, Any]:
    """What the manifest says of the database at its moment."""
    return {
        "version": manifest.product_version(),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine": live.vendor,
        "migrations": tables.heads(live),
        "rows": tables.counts(live),
        "digests": tables.digests(live.alias),
        "chains": checks.chain_heads(live.alias),
        "key_mark": manifest.key_mark(settings.SECRET_KEY),
    }


def _latest(to: Path) -> Path | None:
    """The pixels of the newest backup in the same place: on another disk only the first backup copies all files."""
    found = sorted(path for path in to.glob("readerstudy-*Z") if (path / PIXELS).is_dir())
    return found[-1] / PIXELS if found else None


def _verify(folder: Path, made: Manifest, say: Say) -> None:
    """Restore into a database that is thrown away, and look at everything there."""
    kind: Engine = engine(made.engine)
    if made.engine != connection.vendor:
        raise Refusal(
            f"This is a backup of {made.engine} and the installation has {connection.vendor}: "
            f"check it where DATABASE_URL names {made.engine}."
        )
    say("Restoring it into a database that is thrown away …")
    try:
        with kind.throw_away(folder / kind.DUMP) as database, opened(CHECK, database):
            faults = list(checks.restored(made, CHECK, folder / PIXELS))
    except DatabaseError as error:
        faults = [f"The restored database can't be read: {error}."]
    except OSError as error:
        raise Refusal(f"The restore can't be tried ({error.strerror}): make room in {settings.DATA_DIR}.") from None
    except Refusal as refusal:
        raise Refusal(f"{folder} is not verified. {refusal}") from None
    if made.missing_pixels:
        raise Refusal(
            f"{len(made.missing_pixels)} pixel files are missing or damaged in {pixels.where()}, the first is "
            f"{pixels.place(Path(), made.missing_pixels[0])}: put them back from an earlier backup's {PIXELS} folder, "
            f"then take another backup; what could be kept is in {folder}."
        )
    if faults:
        raise Refusal(f"{folder} is not verified: {checks.told(faults)} {ADVICE}")
