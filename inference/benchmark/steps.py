"""Table 7: the number of diffusion steps against PSNR *and* FID-Med and KID, on a stated subset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.benchmark.arms import ArmSpec, Bench, Progress
from inference.benchmark.cases import BenchmarkCase
from inference.benchmark.fidelity_tables import ONE_IMAGE, SliceRow, measure, patient_means, reference_features
from inference.benchmark.paper import TABLE7
from inference.metrics.frechet import fid_med

# Few steps by the second-order solver, many by the paper's ancestral sampler; both at 50 for the join.
SCHEDULE = (
    ("dpm-solver++", 5), ("dpm-solver++", 10), ("dpm-solver++", 20), ("dpm-solver++", 50),
    ("ddpm", 50), ("ddpm", 200), ("ddpm", 400), ("ddpm", 600), ("ddpm", 800), ("ddpm", 1000),
)  # fmt: skip
SHORT = tuple(row for row in SCHEDULE if row[1] not in (400, 600, 800))  # what a CPU has time for
SEEDS = (0, 1)


def table7(bench: Bench, cases: Sequence[BenchmarkCase], progress: Progress) -> list[dict[str, object]]:
    """One row per sampler and number of steps, w = 1, means over ``SEEDS`` and patients."""
    schedule = SHORT if bench.device == "cpu" else SCHEDULE
    references = reference_features(cases)
    total = sum(steps for _, steps in schedule)
    done, rows = 0, []
    for sampler, steps in schedule:
        settings = {"sampler": sampler, "steps": steps, "guidance": 1.0}
        spec = ArmSpec("steps", f"Diffusion-UNet, {steps} steps", "diffusion_unet", settings)
        images = [bench.restore(spec, cases, _quiet, seed) for seed in SEEDS]
        done += steps
        progress(done, total, f"sampling, {sampler} with {steps} steps")
        rows.append(_row(sampler, steps, cases, images, references))
    return rows


def _row(
    sampler: str,
    steps: int,
    cases: Sequence[BenchmarkCase],
    images: list[list[NDArray[np.float32]]],
    references: NDArray[np.float32],
) -> dict[str, object]:
    per_seed = [measure("diffusion_unet", cases, made) for made in images]
    means = [float(np.mean(list(patient_means(m.rows, "psnr").values()))) for m in per_seed]
    patients = [case.patient for case in cases]
    by_modality = {
        modality: float(np.mean([np.mean(list(_means(m.rows, modality).values())) for m in per_seed]))
        for modality in sorted({c.modality for c in cases})
    }
    return {
        "sampler": sampler, "steps": steps, "network_calls": steps, "guidance": 1.0,
        "psnr_mean": float(np.mean(means)), "psnr_sd_over_seeds": float(np.std(means, ddof=1)),
        "psnr_by_modality": by_modality,
        **distances(references, [m.features for m in per_seed], patients),
        "n_slices": len(cases), "n_patients": len(set(patients)), "seeds": len(per_seed),
        "largest_side": max(max(c.reference.shape) for c in cases),
        "paper_psnr": TABLE7.get(steps) if sampler == "ddpm" else None,
    }  # fmt: skip


def distances(
    references: NDArray[np.float32], per_seed: Sequence[NDArray[np.float32]], patients: Sequence[str]
) -> dict[str, object]:
    """FID-Med and KID, means over the seeds of each seed's own distance; None where there is one slice only.

    Seeds are no further slices: pooled with a copy of the references each, they would bias KID upwards.
    """
    if len(references) < 2:
        return {"fid_med": None, "kid": None, "fid_med_marked": ONE_IMAGE}
    found = [fid_med(references, made, patients, draws=0, allow_small=True) for made in per_seed]
    return {
        "fid_med": float(np.mean([f.value for f in found])),
        "kid": float(np.mean([f.kid for f in found])),
        "fid_med_marked": found[0].marked,
    }


def _quiet(done: int, total: int, what: str) -> None:
    """Progress counts network evaluations here, not slices."""


def _means(rows: Sequence[SliceRow], modality: str) -> dict[str, float]:
    return patient_means([r for r in rows if r.modality == modality], "psnr")
