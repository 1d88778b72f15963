"""Image metrics and latency per arm, and the counts that figures need: small closed forms over the lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from readerstudy.analytics.inputs import StudyFacts
from readerstudy.analytics.lines import CANNOT_JUDGE, ImageLine, ScoreLine, SetLine

FEW_PATIENTS = 5
FEW_TIMINGS = 50
METRICS = ("psnr", "ssim", "nmse", "feature_distance")


def undefined(reason: str) -> dict[str, Any]:
    return {"value": None, "undefined": reason}


def by_patient(lines: Sequence[ImageLine], metric: str) -> dict[str, Any]:
    """Mean and SD over patients of the patients' means; marked where there are fewer than 5 patients."""
    values: dict[str, list[float]] = {}
    for line in lines:
        value = getattr(line, metric)
        if value is not None and np.isfinite(value):
            values.setdefault(line.patient, []).append(value)
    if not values:
        return undefined("no image of this arm has this metric")
    means = np.array([np.mean(values[patient]) for patient in sorted(values)])
    few = len(means) < FEW_PATIENTS
    return {
        "value": float(means.mean()),
        "sd": float(means.std(ddof=1)) if len(means) > 1 else undefined("one patient has no spread"),
        "n_patients": len(means),
        "n_images": sum(len(found) for found in values.values()),
        "marked": f"fewer than {FEW_PATIENTS} patients" if few else "",
    }


def latency(lines: Sequence[ImageLine]) -> dict[str, Any]:
    """Median and 95th percentile in ms; undefined where devices are mixed, marked below 50 timings."""
    timed = [line for line in lines if line.latency_ms is not None]
    if not timed:
        return undefined("no timing was recorded")
    devices = sorted({line.device for line in timed})
    if len(devices) > 1:
        return undefined(f"timings come from different devices ({', '.join(devices)})")
    values = np.array([line.latency_ms for line in timed], dtype=float)
    return {
        "value": float(np.median(values)),
        "p95": float(np.percentile(values, 95)),
        "n": len(values),
        "device": devices[0],
        "marked": f"fewer than {FEW_TIMINGS} timings" if len(values) < FEW_TIMINGS else "",
    }


def fid_med(lines: Iterable[SetLine], arm: str, modality: str) -> dict[str, Any]:
    """The arm's FID-Med with its interval, KID, n and the reason why n is too small, if it is."""
    for line in lines:
        if (line.arm, line.modality) == (arm, modality) and line.fid_med is not None:
            return {
                "value": line.fid_med,
                "ci_low": line.fid_med_low,
                "ci_high": line.fid_med_high,
                "method": "Frechet distance in 32 dimensions; bootstrap of patients",
                "kid": line.kid,
                "n": line.n,
                "n_patients": line.n_patients,
                "marked": line.marked,
            }
        if (line.arm, line.modality) == (arm, modality):
            return undefined(line.marked or "not computed")
    return undefined("computed for compared arms only")


def metrics(facts: StudyFacts, images: Sequence[ImageLine], sets: Sequence[SetLine]) -> dict[str, Any]:
    """Per arm, and per arm and modality: PSNR, SSIM, NMSE, feature distance, FID-Med and latency."""
    present = modalities(line.modality for line in images)
    return {
        arm.key: {
            **_summary([line for line in images if line.arm == arm.key], sets, arm.key, ""),
            "modalities": {
                modality: _summary(
                    [line for line in images if (line.arm, line.modality) == (arm.key, modality)],
                    sets,
                    arm.key,
                    modality,
                )
                for modality in present
            },
        }
        for arm in facts.arms
    }


def _summary(lines: Sequence[ImageLine], sets: Sequence[SetLine], arm: str, modality: str) -> dict[str, Any]:
    found = {metric: by_patient(lines, metric) for metric in METRICS}
    return {**found, "fid_med": fid_med(sets, arm, modality), "latency_ms": latency(lines)}


def modalities(names: Iterable[str]) -> list[str]:
    """The modalities that occur, in the order CT, MR, US."""
    found = set(names)
    return [name for name in ("CT", "MR", "US") if name in found] + sorted(found - {"CT", "MR", "US", ""})


def distribution(facts: StudyFacts, lines: Sequence[ScoreLine]) -> dict[str, dict[str, int]]:
    """How often each category, and "cannot judge", was given per arm at the first reading."""
    keys = [str(category) for category in facts.categories] + [CANNOT_JUDGE]
    counts = {arm.key: dict.fromkeys(keys, 0) for arm in facts.arms}
    for line in lines:
        if line.repeat == 0 and line.score in counts[line.arm]:
            counts[line.arm][line.score] += 1
    return counts


def reader_means(facts: StudyFacts, lines: Sequence[ScoreLine]) -> dict[str, dict[str, Any]]:
    """Mean score of each reader for each arm, with the number of scores behind it."""
    values: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        if line.repeat == 0 and line.score not in ("", CANNOT_JUDGE):
            values.setdefault((line.arm, line.reader), []).append(int(line.score))
    return {
        arm.key: {
            reader: {"value": float(np.mean(values[arm.key, reader])), "n": len(values[arm.key, reader])}
            if (arm.key, reader) in values
            else undefined(f"{reader} scored no image of this arm")
            for reader in facts.readers
        }
        for arm in facts.arms
    }
