"""Sources, patients, cases, slices, imports, runs and reconstructions; every pixel is the same file in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from bench.filled.load import load, say
from readerstudy.accounts.models import User
from readerstudy.cases import store
from readerstudy.cases.models import Case, Import, ImportedFile, Look, Patient, Slice, Source
from readerstudy.jobs.models import Job, Worker
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run

MODALITIES = ("CT", "MR", "US")
LEVELS = {"CT": 0.25, "MR": 6.0, "US": -6.0}
METHODS = ("reference", "tv_recon", "pix2pix", "restormer", "diffusion_unet")
SLICES, FILES, SIDE = 6, 50, 16
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def moment(seconds: float) -> str:
    """A moment as both databases read it, in UTC."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class Images:
    """The ids of what was made: all follow from the number of a case, a method and a slice."""

    runs: list[str]
    pixels: str
    cases: int

    def slice_id(self, case: int, index: int) -> int:
        return 1 + case * SLICES + index

    def run(self, case: int, method: int) -> str:
        return self.runs[case * len(METHODS) + method]

    def reconstruction(self, case: int, method: int, index: int) -> int:
        return 1 + (case * len(METHODS) + method) * SLICES + index


def fill_cases(number: int, coordinator: User) -> Images:
    pixels = store.put(bytes(SIDE * SIDE * 2))
    features = store.put(bytes(32 * 4))
    sources = Source.objects.bulk_create(Source(name=f"Source {i:02d}", approval="EK 1/26") for i in range(20))
    patients = max(1, number * 4 // 5)
    load(Patient, ("id", "pseudonym", "key"), ((1 + i, f"P-{i:05d}", sha("patient", i)) for i in range(patients)))
    ids = [uuid4() for _ in range(number)]
    Case.objects.bulk_create((_case(i, ids[i], patients, sources) for i in range(number)), batch_size=500)
    columns = ("id", "case_id", "index", "pixels", "body_share", "edge", "window_center", "window_width")
    load(Slice, columns, (
        (1 + i * SLICES + k, ids[i].hex, k, pixels, 0.5, int(k in (0, SLICES - 1)), 40.0, 400.0)
        for i in range(number) for k in range(SLICES)
    ))  # fmt: skip
    say(f"{number:,} cases with {number * SLICES:,} slices")
    _fill_imports(ids, sources, coordinator)
    Look.objects.bulk_create(Look(case_id=pk, user=coordinator) for pk in ids[::20])
    runs = _fill_runs(ids, pixels, features)
    say(f"{len(runs):,} runs with {len(runs) * SLICES:,} reconstructions")
    return Images(runs, pixels, number)


def _case(i: int, pk: UUID, patients: int, sources: list[Source]) -> Case:
    modality = MODALITIES[i % 3]
    return Case(
        id=pk, pseudonym=f"{modality}-{i:05d}", patient_id=1 + i % patients, source=sources[i % len(sources)],
        key=sha("case", i), modality=modality, anatomy=("chest", "knee", "carotid")[i % 3], plane="axial",
        state="quarantined" if i % 20 == 7 else "withdrawn" if i % 33 == 5 else "ready",
        rows=SIDE, columns=SIDE, slope=1.0, intercept=0.0, data_range=255.0, row_spacing=0.7, column_spacing=0.7,
        window_center=40.0, window_width=400.0, source_ids=[f"k:{sha('id', i)}"],
        acquisition={"Manufacturer": "Maker", "KVP": "120"},
    )  # fmt: skip


def _fill_imports(cases: list[UUID], sources: list[Source], by: User) -> None:
    batches = Import.objects.bulk_create(
        Import(source=sources[i % len(sources)], started_by=by, finished_at=START, accepted=FILES)
        for i in range(max(1, len(cases) * 2 // FILES))
    )
    load(ImportedFile, ("batch_id", "number", "status", "case_id"), (
        (batch.pk.hex, n + 1, "accepted", cases[(i * FILES + n) % len(cases)].hex)
        for i, batch in enumerate(batches) for n in range(FILES)
    ))  # fmt: skip


def _fill_runs(cases: list[UUID], pixels: str, features: str) -> list[str]:
    load(Measurement, ("id", "case_id", "level", "seed", "physics", "parameters"), (
        (1 + 2 * i + degraded, pk.hex, LEVELS[MODALITIES[i % 3]] if degraded else None, i, "physics-1", "{}")
        for i, pk in enumerate(cases) for degraded in (0, 1)
    ))  # fmt: skip
    runs = [uuid4().hex for _ in range(len(cases) * len(METHODS))]
    columns = (
        "id", "measurement_id", "method", "version", "settings_hash", "weights_hash", "device", "created_at", "missing",
        "failed",
    )  # fmt: skip
    load(Run, columns, (
        (
            run, 1 + 2 * (n // len(METHODS)) + bool(n % len(METHODS)), METHODS[n % len(METHODS)], "1",
            sha(METHODS[n % len(METHODS)]), sha("weights", n % len(METHODS)), "cpu", moment(60 * n), *_lost(n),
        )
        for n, run in enumerate(runs)
    ))  # fmt: skip
    load(Reconstruction, _RECONSTRUCTION, _reconstructions(runs, pixels, features))
    _fill_jobs(runs)
    return runs


def _lost(run: int) -> tuple[int, int]:
    """Slices of a run without an image, and those among them that failed."""
    failed = int(_fails(run // len(METHODS)))
    return failed, failed


def _fails(case: int) -> bool:
    """Whether the third slice of the case fails in every run."""
    return case % 20 == 7


_RECONSTRUCTION = (
    "id", "run_id", "slice_id", "pixels", "features", "failure", "psnr", "ssim", "nmse", "feature_distance",
    "latency_ms",
)  # fmt: skip


def _reconstructions(runs: list[str], pixels: str, features: str) -> Iterator[tuple[Any, ...]]:
    for n, run in enumerate(runs):
        case, method = divmod(n, len(METHODS))
        for k in range(SLICES):
            failed = _fails(case) and k == 2
            yield (
                1 + n * SLICES + k, run, 1 + case * SLICES + k, "" if failed else pixels, features,
                "out of memory" if failed else "", 28.0 + method + k / 7, 0.7 + method / 20, 0.01, 3.0, 50.0 + k,
            )  # fmt: skip


def _fill_jobs(runs: list[str]) -> None:
    """The work that made the runs: nearly all done, some still waiting."""
    columns = ("id", "key", "kind", "queue", "state", "total", "progress", "created_at", "queued_at", "finished_at")
    rows = ((n, run, "done" if n < len(runs) - 40 else "queued") for n, run in enumerate(runs))
    load(Job, columns, (
        (
            uuid4().hex, f"reconstruct:{UUID(run)}:0", "reconstruct", "cpu", state, SLICES,
            SLICES if state == "done" else 0, moment(60 * n), moment(60 * n), moment(60 * n + 50),
        )
        for n, run, state in rows
    ))  # fmt: skip
    now = datetime.now(UTC)
    Worker.objects.bulk_create(
        Worker(host="here", pid=n, queue="cpu", started_at=START, seen_at=now) for n in range(1, 5)
    )
