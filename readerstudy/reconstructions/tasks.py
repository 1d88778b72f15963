"""The worker's side: degrade, reconstruct, measure and record the slices of one job.

Only this module (and what it calls) loads torch; the web process never imports it.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from django.conf import settings
from django.db.models.functions import Coalesce, Greatest
from numpy.typing import NDArray

from inference.data.grid import from_stored, to_stored
from inference.methods.register import needs_projections
from readerstudy.cases import store
from readerstudy.cases.models import Case, Slice
from readerstudy.jobs.claims import Claim
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.recording import counted
from readerstudy.reconstructions.uncertainty import keep_map

if TYPE_CHECKING:
    from inference.methods.base import Measurement, Method
    from readerstudy.reconstructions.batches import Outcome

KEEP_METHODS, KEEP_MEASUREMENTS = 2, 64
_methods: OrderedDict[tuple[str, str, str], Method] = OrderedDict()
_measurements: OrderedDict[tuple[int, int, bool], Measurement] = OrderedDict()


def reconstruct(claim: Claim) -> None:
    """Job handler: payload ``{"run": id, "slices": [ids]}``; a repeat finds what is done and leaves it."""
    from readerstudy.reconstructions.batches import reconstruct_each

    run = Run.objects.select_related("measurement__case").get(pk=claim.payload["run"])
    done = Reconstruction.objects.filter(run=run).exclude(pixels="").values("slice")
    slices = list(Slice.objects.filter(pk__in=claim.payload["slices"]).exclude(pk__in=done).order_by("index"))
    if not slices:
        return
    method = _load(run)
    outcomes = reconstruct_each(method, slices, partial(_prepare, run), claim.heartbeat, settings.DEVICE)
    before = len(claim.payload["slices"]) - len(slices)  # done by an earlier attempt
    for number, outcome in enumerate(outcomes, start=before + 1):
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


def _prepare(run: Run, slices: list[Slice]) -> tuple[list[Measurement], list[int]]:
    """What the method gets of these slices, and the seed of each."""
    measurements = [_measure(run, row) for row in slices]
    if run.method == "reference":
        case = run.measurement.case
        measurements = [_with_reference(m, row, case) for m, row in zip(measurements, slices, strict=True)]
    return measurements, [(run.seed * 1_000_003 + m.seed) % 2**63 for m in measurements]


def _measure(run: Run, row: Slice) -> Measurement:
    """The degraded slice, the same for every method; the last ones are kept for the next method's job."""
    from inference.methods.base import Measurement
    from inference.physics.degrade import degrade

    projections = needs_projections(run.method, run.settings)
    case, key = run.measurement.case, (run.measurement.pk, row.pk, projections)
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
                data_range=case.data_range, already_noisy=case.already_noisy, keep_projections=projections,
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
    try:
        values = _values(run, outcome)
    except ValueError as error:  # an image that can't be one of its slice: its mates are kept
        values = {"failure": f"{error}"[:400], "pixels": ""}
    with claim.fenced(), counted(run):
        Reconstruction.objects.update_or_create(run=run, slice=outcome.slice, defaults=values)
        Run.objects.filter(pk=run.pk).update(
            sampler=method.sampler, precision=method.precision, network_calls=method.network_calls,
            device=settings.DEVICE,
            peak_memory_mib=Greatest(Coalesce("peak_memory_mib", 0), outcome.peak_mib or 0),
        )  # fmt: skip


def _values(run: Run, outcome: Outcome) -> dict[str, object]:
    from inference.metrics.fidelity import fidelity

    if outcome.image is None:
        return {"failure": outcome.failure, "pixels": ""}
    case, row = run.measurement.case, outcome.slice
    reference = _reference(case, row)
    stored = to_stored(outcome.image, reference, case.modality, case.slope, case.intercept)
    image = from_stored(stored, case.slope, case.intercept)
    measured = fidelity(reference, image, case.modality, case.data_range)
    both = _features([image, reference], case)
    spread = {} if outcome.deviation is None else keep_map(outcome.deviation, reference, case)
    return {
        **spread,
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
