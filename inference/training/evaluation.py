"""Gain of a method over its degraded input on held-out patients, aggregated by patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.methods.base import Method
from inference.metrics.fidelity import clipped, fidelity, psnr
from inference.training.pairs import RatedCase


@dataclass(frozen=True)
class Gain:
    """PSNR of one modality over patients: of the input, of the method, and the difference (dB)."""

    degraded_psnr: float
    psnr: float
    gain: float
    gain_sd: float | None  # None with one patient
    ssim: float
    nmse: float
    patients: int
    slices: int


def restore(
    method: Method, cases: Sequence[RatedCase], progress: Callable[[int, int], None] | None = None
) -> list[NDArray[np.float32]]:
    """The method's reconstruction of every case, seeded by the measurement's seed."""
    images = []
    for done, case in enumerate(cases, start=1):
        images += method.reconstruct([case.measurement], [case.measurement.seed])
        if progress is not None:
            progress(done, len(cases))
    return images


def gains(cases: Sequence[RatedCase], images: Sequence[NDArray[np.float32]]) -> dict[str, Gain]:
    """Per modality; a patient's slices are averaged before patients are."""
    rows: dict[str, dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for case, image in zip(cases, images, strict=True):
        measured = case.measurement
        modality, data_range = measured.modality, measured.data_range
        reference = clipped(case.reference, modality)
        before = psnr(reference, clipped(measured.degraded, modality), data_range)
        after = fidelity(case.reference, image, modality, data_range)
        rows[modality][case.patient].append((before, after.psnr, after.ssim, after.nmse))
    result = {}
    for modality, patients in sorted(rows.items()):
        means = np.array([np.mean(values, axis=0) for values in patients.values()])
        gain = means[:, 1] - means[:, 0]
        result[modality] = Gain(
            degraded_psnr=float(means[:, 0].mean()),
            psnr=float(means[:, 1].mean()),
            gain=float(gain.mean()),
            gain_sd=float(gain.std(ddof=1)) if len(gain) > 1 else None,
            ssim=float(means[:, 2].mean()),
            nmse=float(means[:, 3].mean()),
            patients=len(gain),
            slices=sum(len(v) for v in patients.values()),
        )
    return result
