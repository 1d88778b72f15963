"""Tables 3 and 4: fidelity per patient, FID-Med and KID, CT's ceiling, and the paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from inference.benchmark.arms import METHODS
from inference.benchmark.cases import BenchmarkCase
from inference.metrics.features import features, project
from inference.metrics.fidelity import clipped, fidelity
from inference.metrics.frechet import fid_med

FEW_PATIENTS = 5  # fewer are marked
TOLERANCE_DB = 1e-6
ONE_IMAGE = "a feature distance needs at least two images"


class DisagreementError(ValueError):
    """PSNR and NMSE of one slice do not describe the same error."""


@dataclass(frozen=True)
class SliceRow:
    """Metrics of one slice of one arm. ``power``: mean squared reference that NMSE divides by."""

    arm: str
    case: str
    patient: str
    modality: str
    psnr: float
    ssim: float
    nmse: float
    power: float
    data_range: float


@dataclass(frozen=True)
class Measured:
    """An arm over all cases: one row and one (32,) feature vector per case, in the order of the cases."""

    rows: list[SliceRow]
    features: NDArray[np.float32]


def measure(arm: str, cases: Sequence[BenchmarkCase], images: Sequence[NDArray[np.float32]]) -> Measured:
    """Metrics and FID-Med features of an arm's images. Raises DisagreementError."""
    rows, coordinates = [], []
    for case, image in zip(cases, images, strict=True):
        data_range = case.measurement.data_range
        value = fidelity(case.reference, image, case.modality, data_range)
        offset = 1024.0 if case.modality == "CT" else 0.0
        reference = np.asarray(clipped(case.reference, case.modality), np.float64) + offset
        row = SliceRow(
            arm, case.name, case.patient, case.modality,
            value.psnr, value.ssim, value.nmse, float(np.mean(reference**2)), data_range,
        )  # fmt: skip
        check_agreement(row)
        rows.append(row)
        coordinates.append(project(features([image], case.modality, data_range))[0])
    return Measured(rows, np.stack(coordinates))


def reference_features(cases: Sequence[BenchmarkCase]) -> NDArray[np.float32]:
    """(n, 32) coordinates of the references."""
    return np.stack([project(features([c.reference], c.modality, c.measurement.data_range))[0] for c in cases])


def check_agreement(row: SliceRow) -> None:
    """Both metrics come from one mean squared error; a table where they differ is wrong somewhere."""
    if math.isinf(row.psnr) and row.nmse == 0.0:
        return
    implied = 10.0 * math.log10(row.data_range**2 / (row.nmse * row.power)) if row.nmse > 0 else math.inf
    if not abs(implied - row.psnr) <= TOLERANCE_DB:
        raise DisagreementError(
            f"PSNR ({row.psnr:.4f} dB) and NMSE ({row.nmse:.6g}, which means {implied:.4f} dB) of {row.case} by "
            f"{row.arm} disagree: one of them was not computed on this image."
        )


def patient_means(rows: Sequence[SliceRow], metric: str) -> dict[str, float]:
    """Mean of a metric over a patient's slices."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row.patient, []).append(getattr(row, metric))
    return {patient: float(np.mean(v)) for patient, v in values.items()}


def summary(
    measured: Measured, references: NDArray[np.float32], modality: str | None, draws: int = 200
) -> dict[str, object]:
    """One cell group of Table 3 (``modality`` None) or 4: mean and SD over patients, None where undefined."""
    chosen = [i for i, row in enumerate(measured.rows) if modality in (None, row.modality)]
    rows = [measured.rows[i] for i in chosen]
    psnr = np.array(list(patient_means(rows, "psnr").values()))
    finite = bool(np.isfinite(psnr).all())  # an image equal to its reference has no finite PSNR
    result: dict[str, object] = {
        "psnr_mean": float(psnr.mean()) if finite else None,
        "psnr_sd": float(psnr.std(ddof=1)) if finite and psnr.size > 1 else None,
        "ssim_mean": float(np.mean(list(patient_means(rows, "ssim").values()))),
        "nmse_mean": float(np.mean(list(patient_means(rows, "nmse").values()))),
        "n_slices": len(rows),
        "n_patients": int(psnr.size),
        "few_patients": bool(psnr.size < FEW_PATIENTS),
        "fid_med": None,
        "fid_med_ci": None,
        "kid": None,
        "fid_med_marked": ONE_IMAGE,
    }
    if len(rows) > 1:
        patients = [row.patient for row in rows]
        distance = fid_med(references[chosen], measured.features[chosen], patients, draws=draws, allow_small=True)
        interval = [distance.ci_low, distance.ci_high]
        result |= {
            "fid_med": distance.value,
            "fid_med_ci": interval if np.isfinite(interval).all() else None,
            "kid": distance.kid,
            "fid_med_marked": distance.marked,
        }
    return result


def ct_ceiling(dose: float) -> dict[str, float]:
    """Largest gain in dB over the input that the noise of a full-dose target leaves, at a ``dose`` share.

    With target noise of variance s^2 the input's error is (1/dose - 1) s^2. Who knew the object would still miss
    (1 - dose) s^2 of the target's own noise by the conditional mean, and twice that by one sample of the posterior.
    """
    return {"conditional_mean_db": 10.0 * math.log10(1.0 / dose), "one_sample_db": 10.0 * math.log10(0.5 / dose)}


def comparisons(measured: Mapping[str, Measured]) -> list[dict[str, object]]:
    """Paired t-tests of PSNR on patient means, all pairs of the paper's methods, Bonferroni over those pairs.

    Differences are first minus second in dB; the interval is adjusted alike. Undefined values are None with a reason.
    """
    pairs = list(combinations([m for m in METHODS if m in measured], 2))
    return [_compared(measured, a, b, len(pairs)) for a, b in pairs]


def _compared(measured: Mapping[str, Measured], a: str, b: str, family: int) -> dict[str, object]:
    first, second = (patient_means(measured[key].rows, "psnr") for key in (a, b))
    difference = np.array([first[p] - second[p] for p in sorted(first)])
    n = difference.size
    result: dict[str, object] = {"first": a, "second": b, "n_patients": n, "family": family}
    result |= {"mean_difference": float(difference.mean()), "alpha": 0.05 / family}
    spread = float(difference.std(ddof=1)) if n > 1 else 0.0
    if spread == 0.0:
        return result | {"t": None, "p": None, "p_adjusted": None, "ci": None, "why": "fewer than two different pairs"}
    error = spread / math.sqrt(n)
    t = float(difference.mean()) / error
    p = float(2.0 * stats.t.sf(abs(t), n - 1))
    half = float(stats.t.ppf(1.0 - 0.025 / family, n - 1)) * error
    centre = float(difference.mean())
    return result | {
        "t": t, "df": n - 1, "p": p, "p_adjusted": min(1.0, family * p),
        "ci": [centre - half, centre + half], "why": "",
    }  # fmt: skip
