"""The worker's side: degrade, reconstruct, measure and record the slices of one job.

Only this module (and what it calls) loads torch; the web process never imports it.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from inference.data.grid import from_stored, to_stored
from readerstudy.cases import store
from readerstudy.cases.models import Case, Slice
from readerstudy.jobs.claims import Claim
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.recording import counted

if TYPE_CHECKING:
    from inference.methods.base import Measurement, Method

log = logging.getLogger(__name__)
KEEP_METHODS, KEEP_MEASUREMENTS = 2, 64
_methods: OrderedDict[tuple[str, str, str], Method] = OrderedDict()
_measurements: OrderedDict[tuple[int, int], Measurement] = OrderedDict()


@dataclass(frozen=True)
class Outcome:
    """One slice: its image in physical units, or why there is none."""

    slice: Slice
    image: NDArray[np.float32] | None
    failure: str = ""
    latency_ms: float | None = None
    batch_size: int = 1


def reconstruct(claim: Claim) -> None:
    """Job handler: payload ``{"run": id, "slices": [ids]}``; a repeat finds what is done and leaves it."""
    run = Run.objects.select_related("measurement__case").get(pk=claim.payload["run"])
    done = Reconstruction.objects.filter(run=run).exclude(pixels="").values("slice")
    slices = list(Slice.objects.filter(pk__in=claim.payload["slices"]).exclude(pk__in=done).order_by("index"))
    if not slices:
        return
    method = _load(run)
    for number, outcome in enumerate(_reconstruct_each(method, run, slices, claim), start=1):
        _save(claim, run, method, outcome)
        claim.progress(number)


def _load(run: Run) -> Method:
    """The run's method, kept warm for the next job of the same configuration."""
    import torch

    from inference.methods.base import load_method

    torch.set_num_threads(1)
    key = (run.method, run.settings_hash, run.weights_hash)
    if key not in _methods:
        _methods[key] = load_method(run.method, run.settings, settings.DEVICE)
        while len(_methods) > KEEP_METHODS:
            _methods.popitem(last=False)
    _methods.move_to_end(key)
    method = _methods[key]
    if method.weights_hash != run.weights_hash:
        raise RuntimeError(f"The weights of {run.method} changed since the run was requested: request a new run.")
    return method


def _reconstruct_each(method: Method, run: Run, slices: list[Slice], claim: Claim) -> Iterator[Outcome]:
    """Batch after batch, so that each is saved before the next is begun.

    Out of memory halves the batch; another error fails its slice and spares its mates.
    """
    size, start = _first_batch_size(), 0
    while start < len(slices):
        claim.heartbeat()
        part = slices[start : start + size]
        try:
            outcomes = _reconstruct_batch(method, run, part)
        except Exception as error:
            if len(part) > 1:
                _empty_cache()
                size = max(1, len(part) // 2)
                continue
            log.warning("A slice failed: %s", type(error).__name__)
            outcomes = [Outcome(part[0], None, failure=f"{type(error).__name__}: {error}"[:400])]
        yield from outcomes
        start += len(part)


def _reconstruct_batch(method: Method, run: Run, slices: list[Slice]) -> list[Outcome]:
    measurements = [_measure(run, s) for s in slices]
    if run.method == "reference":
        measurements = [_with_reference(m, s, run.measurement.case) for m, s in zip(measurements, slices, strict=True)]
    seeds = [(run.seed * 1_000_003 + m.seed) % 2**63 for m in measurements]
    started = time.perf_counter()
    images = method.reconstruct(measurements, seeds)
    each = 1000 * (time.perf_counter() - started) / len(slices)
    return [
        Outcome(s, np.asarray(image, np.float32), latency_ms=each, batch_size=len(slices))
        for s, image in zip(slices, images, strict=True)
    ]


def _measure(run: Run, row: Slice) -> Measurement:
    """The degraded slice, the same for every method; the last ones are kept for the next method's job."""
    from inference.methods.base import Measurement
    from inference.physics.degrade import degrade

    case, key = run.measurement.case, (run.measurement.pk, row.pk)
    if key not in _measurements:
        reference = _reference(case, row)
        seed = run.measurement.seed + row.index
        if run.measurement.level is None:
            made = Measurement(
                reference,
                case.modality,
                case.pixel_spacing,
                float("nan"),
                case.data_range,
                seed,
                None,
                None,
                {},
            )
        else:
            made = degrade(
                reference, case.modality, run.measurement.level, seed=seed, pixel_spacing=case.pixel_spacing,
                data_range=case.data_range, already_noisy=case.already_noisy,
            )  # fmt: skip
        _measurements[key] = made
        while len(_measurements) > KEEP_MEASUREMENTS:
            _measurements.popitem(last=False)
    return _measurements[key]


def _with_reference(measurement: Measurement, row: Slice, case: Case) -> Measurement:
    from dataclasses import replace

    return replace(measurement, reference=_reference(case, row))


def _reference(case: Case, row: Slice) -> NDArray[np.float32]:
    stored = np.frombuffer(store.get(row.pixels), "<u2").reshape(case.rows, case.columns)
    return from_stored(stored, case.slope, case.intercept)


def _save(claim: Claim, run: Run, method: Method, outcome: Outcome) -> None:
    """Pixels first (temporary name, fsync, rename), then the row, under the job's fencing token."""
    values = _values(run, outcome) if outcome.image is not None else {"failure": outcome.failure, "pixels": ""}
    with claim.fenced(), counted(run):
        Reconstruction.objects.update_or_create(run=run, slice=outcome.slice, defaults=values)
        Run.objects.filter(pk=run.pk).update(
            sampler=method.sampler, precision=method.precision, network_calls=method.network_calls,
            device=settings.DEVICE,
        )  # fmt: skip


def _values(run: Run, outcome: Outcome) -> dict[str, object]:
    from inference.metrics.fidelity import fidelity

    assert outcome.image is not None
    case, row = run.measurement.case, outcome.slice
    reference = _reference(case, row)
    stored = to_stored(outcome.image, reference, case.modality, case.slope, case.intercept)
    image = from_stored(stored, case.slope, case.intercept)
    measured = fidelity(reference, image, case.modality, case.data_range)
    both = _features([image, reference], case)
    return {
        "pixels": store.put(stored.astype("<u2").tobytes()),
        "feature_network": feature_network(),
        "features": store.put(np.ascontiguousarray(both[0], "<f4").tobytes()),
        "failure": "",
        "psnr": measured.psnr if np.isfinite(measured.psnr) else None,
        "ssim": measured.ssim,
        "nmse": measured.nmse,
        "feature_distance": float(np.linalg.norm(both[0].astype(float) - both[1].astype(float))),
        "latency_ms": outcome.latency_ms,
        "batch_size": outcome.batch_size,
    }


def feature_network() -> str:
    """SHA-256 of the FID-Med network; features of different networks can't be compared."""
    from inference.methods.register import WEIGHTS, file_sha256
    from inference.metrics.features import BACKBONE_FILE

    return file_sha256(WEIGHTS / BACKBONE_FILE)


def _features(images: list[NDArray[np.float32]], case: Case) -> NDArray[np.float32]:
    """FID-Med features of physical images, shape (n, 32)."""
    from inference.metrics.features import features, project

    return project(features(images, case.modality, case.data_range))


def _first_batch_size() -> int:
    return 8 if settings.DEVICE == "cuda" else 1


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
