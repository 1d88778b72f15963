"""Row 10: mutated and hostile DICOM through the browser's own upload: no 500, no hang, no growing web process."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.load.paced import Place
from bench.load.site import site
from bench.report import Figure
from bench.room.world import say
from tests.inference import dicom_factory as dicom

BATCH = 100  # files per upload
HANG = 30.0  # seconds for one request, and for an import beyond what its files need
PER_FILE = 1.0  # seconds that one file needs
WORKING = ("receiving", "waiting", "importing")
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

    def upload(self, files: list[bytes], patience: float) -> str:
        """Send the files and wait for the import; its state, which is still "importing" after ``patience`` seconds."""
        stated = [[len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()] for content in files]
        begun = self.ask("POST", "/cases/uploads/", json.dumps({"files": stated, "source": self.source}).encode())
        base = f"/cases/uploads/{begun['id']}/"
        for number, content in enumerate(files, start=1):
            for offset in range(0, len(content), PIECE):
                path = f"{base}{number}/{offset}/"
                self.ask("POST", path, content[offset : offset + PIECE], "application/octet-stream")
        self.ask("POST", f"{base}finish/")
        until, state = time.monotonic() + patience, ""
        while time.monotonic() < until:
            state = str(self.ask("GET", base)["state"])
            if state not in WORKING:
                break
            time.sleep(0.5)
        return state


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


def uploads(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """2,000 (500) mutants and the bombs, uploaded in batches and imported by a worker."""
    chance, count = Random(10), 2000 if full else 500
    with tempfile.TemporaryDirectory() as scratch:
        valid, hostile = seeds(Path(scratch)), bombs(Path(scratch))
    files = [mutant(chance.choice(valid), chance) for _ in range(count)]
    climbed = Path(tempfile.gettempdir()) / "climbed.dcm"
    climbed.unlink(missing_ok=True)
    ended: Counter[str] = Counter()
    with site(folder / "data", place.database, place.broker) as here:
        made = here.ask("desk")
        here.up()
        desk = Desk(here.url(), made["cookie"], made["source"])
        if desk.upload(valid, 300) != "done":
            raise RuntimeError(f"Valid files can't be imported, so that nothing was measured:\n{here.log()[-2000:]}")
        before = resident_mib(here.processes("gunicorn"))
        batches = [files[i : i + BATCH] for i in range(0, count, BATCH)] + [[bomb] for bomb in hostile]
        for number, batch in enumerate(batches, start=1):
            begun = time.monotonic()
            ended[desk.upload(batch, HANG + PER_FILE * len(batch))] += 1
            say(f"{number} of {len(batches)} uploads, {time.monotonic() - begun:.1f} s")
        growth = resident_mib(here.processes("gunicorn")) - before
        imported = here.ask("stored")["imported"]
    say(f"imports {dict(ended)}, {imported} slices accepted, answers {dict(Counter(desk.statuses))}")
    assert not climbed.exists(), "a zip member was written outside its folder"
    return {
        "f10_http_500": Figure(sum(status >= 500 for status in desk.statuses), "answers"),
        "f10_hangs": Figure(sum(ended[state] for state in WORKING) + (desk.longest > HANG), "uploads"),
        "f10_growth_mib": Figure(growth, "MiB"),
        "f10_longest_request_s": Figure(desk.longest, "s"),
        "f10_slices_accepted": Figure(imported, "slices"),
    }
