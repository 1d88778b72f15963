"""Row 7: a disk that fills up during scoring, import and reconstruction, and is given room again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.load.crowd import Crowd, Person
from bench.load.hostile import Desk
from bench.load.kills import recovery
from bench.load.paced import Place
from bench.load.servers import Missing, own_postgres
from bench.load.site import Site, answering, site
from bench.report import Figure
from bench.room.world import say
from tests.faults.conftest import wait_for
from tests.inference import dicom_factory as dicom

MIB = 1 << 20
SIZE_MIB = 900  # more than the half GiB that an upload leaves free
FILES = 16
REFUSALS = {503, 507}


class SmallDisk:
    """A file system of its own, kept full by a thread from ``fill`` to ``free``."""

    def __init__(self, path: Path) -> None:
        self.path, self._stop, self._filler = path, threading.Event(), threading.Thread()

    def fill(self) -> None:
        self._stop.clear()
        full = threading.Event()
        self._filler = threading.Thread(target=self._keep_full, args=(full,), daemon=True)
        self._filler.start()
        assert full.wait(60), "the disk did not become full"

    def free(self) -> None:
        self._stop.set()
        if self._filler.is_alive():
            self._filler.join()
        (self.path / "ballast").unlink(missing_ok=True)

    def _keep_full(self, full: threading.Event) -> None:
        """Down to the last block, and again whatever others give up."""
        block = bytes(4 * MIB)
        with (self.path / "ballast").open("ab", buffering=0) as file:
            while not self._stop.is_set():
                for size in (len(block), 4096, 64):
                    with suppress(OSError):
                        while not self._stop.is_set() and file.write(block[:size]) == size:
                            pass
                full.set()
                self._stop.wait(0.01)


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """A tmpfs on ``path``; raises ``Missing`` where none may be mounted."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=755", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"No tmpfs can be mounted here: {getattr(error, 'stderr', error)}") from error
    disk = SmallDisk(path)
    try:
        yield disk
    finally:
        disk.free()
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@dataclass
class Careful(Person):
    """A reader who also looks whether every refusal has a sentence."""

    silent: int = 0

    def _exchange(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        status, reply = super()._exchange(method, path, body)
        self.silent += status in REFUSALS and not reply.get("error")
        return status, reply


@dataclass
class Told:
    """What was answered while the disk was full, and what became of what was acknowledged."""

    statuses: Counter[int] = field(default_factory=Counter)
    silent: int = 0
    lost: int = 0
    stopped: int = 0

    @property
    def wrong(self) -> int:
        """Answers of a server that neither works nor says why."""
        return self.silent + sum(n for status, n in self.statuses.items() if status >= 500 and status not in REFUSALS)


def full_disk(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """Database (an own PostgreSQL where one is named), pixels and uploads on one small disk."""
    seconds, told = (30.0 if full else 10.0), Told()
    folder.chmod(0o755)  # PostgreSQL's user has to get there
    try:
        with (
            small_disk(folder / "disk") as disk,
            _database(disk, bool(place.database)) as database,
            site(disk.path / "data", database, place.broker) as here,
        ):
            _trouble(here, disk, seconds, told)
    except Missing as error:
        say(f"Row 7 is left out: {error}")
        return {}
    say(f"answers {dict(told.statuses)}, {told.silent} without a sentence")
    return {
        "f7_lost": Figure(told.lost, "things"),
        "f7_stopped": Figure(told.stopped, "jobs"),
        "f7_http_wrong": Figure(told.wrong, "answers"),
        "f7_refused": Figure(sum(told.statuses[status] for status in REFUSALS), "answers"),
    }


@contextmanager
def _database(disk: SmallDisk, wanted: bool) -> Iterator[str]:
    before, tempfile.tempdir = tempfile.tempdir, str(disk.path)
    try:
        with own_postgres() if wanted else nullcontext((None, "")) as (_, url):
            tempfile.tempdir = before
            yield url
    finally:
        tempfile.tempdir = before


def _trouble(here: Site, disk: SmallDisk, seconds: float, told: Told) -> None:
    # The log lies elsewhere, as an administrator's journal does: it says what went wrong on a full disk.
    (here.data / "up.log").symlink_to(disk.path.parent / "up.log")
    crowd, desk = here.opened(3, 60, 32), here.ask("desk")
    crowd.people = [Careful(person.url, person.cookie, person.shown) for person in crowd.people]
    _scores(crowd, disk, seconds, told)
    _import(here, Desk(crowd.url, desk["cookie"], desk["source"]), disk, seconds, told)
    _reconstruct(here, disk, seconds, told)


def _scores(crowd: Crowd, disk: SmallDisk, seconds: float, told: Told) -> None:
    with answering(crowd.people, 0.1) as acknowledged:
        time.sleep(2)
        disk.fill()
        time.sleep(seconds)
        begun = time.monotonic()
        disk.free()
        try:
            say(f"Scores went on after {recovery(crowd, acknowledged, begun):.1f} s")
        except TimeoutError:
            told.stopped += 1
            say("The scores did not go on.")
    lost, duplicated, faults = crowd.lost_and_duplicated()
    told.lost += lost + duplicated + len(faults)
    told.statuses.update(sample.status for person in crowd.people for sample in person.samples)
    told.silent += sum(person.silent for person in crowd.people if isinstance(person, Careful))
    say(f"{acknowledged()} scores, {lost} lost, {duplicated} duplicated, chain {faults or 'holds'}: {told.statuses}")


def _import(here: Site, desk: Desk, disk: SmallDisk, seconds: float, told: Told) -> None:
    """An upload whose pieces, and then whose import, meet a full disk."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch) / f"{n}.dcm" for n in range(FILES)]
        files = [
            dicom.save(dicom.dataset("CT", dicom.head_ct(512, 512, n), n + 1), path).read_bytes()
            for n, path in enumerate(paths)
        ]
    stated = [[len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()] for content in files]
    wanted = json.dumps({"files": stated, "source": desk.source}).encode()
    base = f"/cases/uploads/{_asked(desk, told, 'POST', '/cases/uploads/', wanted)['id']}/"

    def send(number: int) -> bool:
        path = f"{base}{number + 1}/0/"
        _asked(desk, told, "POST", path, files[number], "application/octet-stream")
        return desk.statuses[-1] == 200

    here_before = [send(number) for number in range(FILES // 2)]
    disk.fill()
    here_full = [send(number) for number in range(FILES // 2, FILES)]
    _asked(desk, told, "POST", "/cases/uploads/", wanted)
    disk.free()
    say(f"{sum(here_before)} pieces, then {sum(here_full)} on a full disk")
    acknowledged = [n for n, kept in enumerate([*here_before, *here_full]) if kept]
    for number in set(range(FILES)) - set(acknowledged):
        told.stopped += not send(number)
    disk.fill()
    _asked(desk, told, "POST", f"{base}finish/")
    if desk.statuses[-1] != 200:
        # Refused: handed in with room, and the disk full again before the worker has read it.
        disk.free()
        _asked(desk, told, "POST", f"{base}finish/")
        disk.fill()
    time.sleep(seconds)
    disk.free()
    if not _settled(desk, told, base):
        told.stopped += 1
        say(f"The import did not go on by itself: {_asked(desk, told, 'GET', base)}")
        _asked(desk, told, "POST", f"{base}finish/")
        _settled(desk, told, base)
    found = here.ask("stored")
    told.lost += FILES - found["imported"] + len(found["faults"])
    say(f"{found['imported']} of {FILES} slices imported {found['faults'] or ''}")


def _asked(desk: Desk, told: Told, method: str, path: str, body: bytes = b"", kind: str = "") -> dict[str, Any]:
    reply = desk.ask(method, path, body, kind or "application/json")
    told.statuses[desk.statuses[-1]] += 1
    told.silent += desk.statuses[-1] in REFUSALS and not reply.get("error")
    return reply


def _settled(desk: Desk, told: Told, base: str) -> bool:
    """Whether the import has ended well."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        state = _asked(desk, told, "GET", base).get("state")
        if state in ("done", "failed", "given_up"):
            return bool(state == "done")
        time.sleep(0.5)
    return False


def _reconstruct(here: Site, disk: SmallDisk, seconds: float, told: Told) -> None:
    wanted = here.ask("request", 96, 96, ["degraded", "tv_recon"])
    wait_for(lambda: here.ask("stored")["made"] >= 6, 120, here.log)
    disk.fill()
    time.sleep(seconds)
    during = here.ask("stored")
    disk.free()
    wait_for(lambda: here.ask("stored")["open"] == 0, 300, here.log)
    found = here.ask("stored")
    stopped = [(job[0], job[4]) for job in found["jobs"] if job[0].startswith("reconstruct:") and job[1] != "done"]
    say(f"{during['made']}, then {found['made']} of {wanted} slices; stopped: {stopped}; {found['failures']}")
    told.stopped += len(stopped) + len(found["failures"])
    if found["made"] < wanted:
        here.ask("retry")
        wait_for(lambda: here.ask("stored")["open"] == 0, 300, here.log)
        found = here.ask("stored")
    told.lost += wanted - found["unique"] + (found["made"] - found["unique"]) + len(found["faults"])
