"""Row 10: mutated and hostile DICOM through the browser's own upload: no 500, no hang, no growing web process."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.load.crowd import LoadRoom
from bench.load.paced import Place
from bench.report import Figure
from bench.room.world import say
from tests.faults.conftest import left_clean, own_database
from tests.inference import dicom_factory as dicom

BATCH = 100  # files per upload
HANG = 30.0  # seconds for one request, and per upload beyond what its files need
PIECE = 4 * 1024 * 1024


def seeds(folder: Path) -> list[bytes]:
    """Valid files of several kinds, from which the mutants are made."""
    made = [dicom.dataset("CT", dicom.head_ct(seed=n), n + 1) for n in range(4)]
    made.append(dicom.dataset("MR", np.arange(4096, dtype=np.uint16).reshape(64, 64)))
    made.append(dicom.cine(np.random.default_rng(0).integers(0, 255, (4, 64, 64), np.uint8)))
    made.append(dicom.enhanced_mr(np.zeros((3, 64, 64), np.uint16) + 7, [1.0, 2.0, 1.0], [1.0] * 3))
    for syntax in ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"):
        made.append(dicom.compressed(dicom.dataset("CT", dicom.head_ct()), syntax))
    paths = [dicom.save(ds, folder / f"{number}.dcm") for number, ds in enumerate(made)]
    return [path.read_bytes() for path in paths]


def mutant(content: bytes, chance: Random) -> bytes:
    """Bytes changed, removed, doubled or cut, half of the time in the header, where it hurts."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 2, 4, 16))):
        end = min(len(data), 1200) if chance.random() < 0.5 else len(data)
        place = chance.randrange(132, max(133, end))
        match chance.randrange(5):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[place : place + chance.randrange(1, 64)]
            case 2:
                data[place:place] = data[place : place + chance.randrange(1, 64)]
            case 3:
                data[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0"))
            case _:
                del data[place + chance.randrange(len(data) - place + 1) :]
    return bytes(data)


def bombs(folder: Path) -> list[bytes]:
    """What is known to have hurt: a deflate bomb, a huge RLE claim, nested sequences, zips that lie or climb out."""
    made = [
        dicom.deflate_bomb(folder / "deflate.dcm", 512 << 20).read_bytes(),
        dicom.huge_rle(folder / "rle.dcm").read_bytes(),
        *(dicom.nested_sequences(folder / "nested.dcm", depth).read_bytes() for depth in (200, 5_000, 200_000)),
    ]
    good = dicom.save(dicom.dataset("CT", dicom.head_ct()), folder / "good.dcm").read_bytes()
    for names in (["../../../../tmp/climbed.dcm", "/tmp/climbed.dcm"], ["a/../../climbed.dcm"], ["C:\\climbed.dcm"]):
        made.append(zipped(dict.fromkeys(names, good)))
    made.append(zipped({"zeros.dcm": bytes(256 << 20)}))
    made.append(zipped({"inner.zip": zipped({"zeros.dcm": bytes(64 << 20)})}))
    made.append(zipped({f"{n}.dcm": b"" for n in range(20_000)}))
    return made


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@dataclass
class Desk:
    """A coordinator's browser; every answer's status and the longest wait are kept."""

    url: str
    cookie: str
    source: int
    statuses: list[int] = field(default_factory=list)
    longest: float = 0.0

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> dict[str, Any]:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=2 * HANG)
        headers = {"Cookie": self.cookie, "Content-Type": kind, "Accept": "application/json"}
        headers["X-CSRFToken"] = self.cookie.rpartition("=")[2]
        begun = time.monotonic()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.longest = max(self.longest, time.monotonic() - begun)
        self.statuses.append(answer.status)
        json_like = (answer.getheader("Content-Type") or "").startswith("application/json")
        return dict(json.loads(content)) if json_like else {}

    def upload(self, files: list[bytes], patience: float) -> bool:
        """Send the files and wait for the import; False where it has not ended within ``patience`` seconds."""
        stated = [[len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()] for content in files]
        begun = self.ask("POST", "/cases/uploads/", json.dumps({"files": stated, "source": self.source}).encode())
        if "id" not in begun:
            return True
        base = f"/cases/uploads/{begun['id']}/"
        for number, content in enumerate(files, start=1):
            for offset in range(0, len(content), PIECE):
                path = f"{base}{number}/{offset}/"
                self.ask("POST", path, content[offset : offset + PIECE], "application/octet-stream")
        self.ask("POST", f"{base}finish/")
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if self.ask("GET", base).get("state") not in ("receiving", "waiting", "importing"):
                return True
            time.sleep(0.5)
        return False


def resident_mib(processes: list[int]) -> float:
    """Resident memory of processes together."""
    total = 0.0
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    return total


@contextmanager
def _desk(folder: Path, database: str, broker: str) -> Iterator[tuple[LoadRoom, Desk]]:
    installation = LoadRoom(folder, database, broker)
    ending = left_clean(installation)
    next(ending)
    try:
        made = installation.ask("desk")
        installation.up()
        url = installation.url().replace("localhost", "127.0.0.1")
        yield installation, Desk(url, made["cookie"], made["source"])
    finally:
        next(ending, None)


def uploads(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """2,000 (500) mutants and the bombs, uploaded in batches and imported by a worker."""
    if place.database:
        with own_database(place.database) as url:
            return _uploads(folder, url, place.broker, full)
    return _uploads(folder, "", "", full)


def _uploads(folder: Path, database: str, broker: str, full: bool) -> dict[str, Figure]:
    chance, count = Random(10), 2000 if full else 500
    with tempfile.TemporaryDirectory() as scratch:
        valid, hostile = seeds(Path(scratch)), bombs(Path(scratch))
    files = [mutant(chance.choice(valid), chance) for _ in range(count)]
    climbed = Path(tempfile.gettempdir()) / "climbed.dcm"
    climbed.unlink(missing_ok=True)
    hangs = 0
    (folder / "data").mkdir()
    with _desk(folder / "data", database, broker) as (installation, desk):
        desk.upload(valid, 120)
        before = resident_mib(installation.processes("gunicorn"))
        batches = [files[i : i + BATCH] for i in range(0, count, BATCH)] + [[bomb] for bomb in hostile]
        for number, batch in enumerate(batches, start=1):
            hangs += not desk.upload(batch, 4 * HANG)
            say(f"{number} of {len(batches)} uploads")
        growth = resident_mib(installation.processes("gunicorn")) - before
    assert not climbed.exists(), "a zip member was written outside its folder"
    return {
        "f10_http_500": Figure(sum(status >= 500 for status in desk.statuses), "answers"),
        "f10_hangs": Figure(hangs + (desk.longest > HANG), "uploads"),
        "f10_growth_mib": Figure(growth, "MiB"),
        "f10_longest_request_s": Figure(desk.longest, "s"),
    }
