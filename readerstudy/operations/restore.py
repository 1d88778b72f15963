"""Put a backup into an empty installation."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection

from readerstudy.accounts.models import User
from readerstudy.jobs.startup import Lock, Refusal
from readerstudy.operations import checks, manifest, pixels, tables
from readerstudy.operations.backup import PIXELS
from readerstudy.operations.engines import engine
from readerstudy.operations.manifest import KEY_FILE, Manifest
from readerstudy.operations.pixels import Say
from readerstudy.studies.models import Study


def restore(folder: Path, say: Say) -> None:
    """Make this empty installation the one that was backed up; raises ``Refusal`` with what to do."""
    made = manifest.read(folder)
    with Lock(settings.DATA_DIR / "up.lock"):
        _require_empty()
        _require_fit(made)
        say(f"Hashing {len(made.files)} files …")
        if faults := manifest.wrong_files(folder, made):
            raise Refusal(f"{folder} is damaged: {checks.told(faults)} Nothing was restored: use another backup.")
        kind = engine(made.engine)
        names = [name for file, name in made.files.items() if file.startswith(f"{PIXELS}/")]
        say(f"Restoring {len(names)} pixel files …")
        try:
            lost = pixels.put_all(names, folder / PIXELS)
        except OSError as error:
            raise Refusal(f"{pixels.where()} can't be written ({error.strerror}): make room there.") from None
        if lost:
            raise Refusal(f"The pixel file {lost[0]} did not arrive whole in {pixels.where()}: look after that store.")
        say("Restoring the database …")
        kind.put(folder / kind.DUMP)
        key = _restore_key(folder, made)
        say("Checking what was restored …")
        faults = list(checks.restored(made, DEFAULT_DB_ALIAS, None))
    if faults:
        raise Refusal(
            f"All that the backup holds was restored, with faults that it had or that this machine made: "
            f"{checks.told(faults)} See `manage.py verify_study` before anyone works with it."
        )
    if manifest.key_mark(key) != made.key_mark:
        say(
            "The signing key is not that of the backed-up installation: set READERSTUDY_SECRET_KEY to the old one "
            "before anyone imports cases, since it keys the pseudonyms of patients."
        )


def _require_empty() -> None:
    rows = tables.counts(connection)
    users, studies = (rows.get(model._meta.db_table, 0) for model in (User, Study))
    if users or studies:
        raise Refusal(
            f"This installation is not empty ({users} accounts, {studies} studies): restore into a new one, "
            "with READERSTUDY_DATA set to another folder or DATABASE_URL to another database."
        )


def _require_fit(made: Manifest) -> None:
    if made.engine != connection.vendor:
        raise Refusal(
            f"This is a backup of {made.engine} and the installation has {connection.vendor}: restore it where "
            f"DATABASE_URL names {made.engine} (empty for SQLite); `manage.py move_data` moves it from there."
        )
    if tables.newer_than_this(made.migrations):
        raise Refusal(f"The backup is of a later version ({made.version}) of the product: install that one first.")


def _restore_key(folder: Path, made: Manifest) -> str:
    """Bring the signing key along where both installations keep theirs in the data folder; the key from now on."""
    own = manifest.key_file()
    if KEY_FILE not in made.files or own is None:
        return str(settings.SECRET_KEY)
    descriptor, temporary = tempfile.mkstemp(dir=own.parent)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write((folder / KEY_FILE).read_bytes())
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, own)
    pixels.sync_folder(own.parent)
    return own.read_text().strip()
