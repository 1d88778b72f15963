"""What a benchmark compares, and the reconstruction of every case by every arm, kept on disk to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.benchmark.baseline import read_baselines
from inference.benchmark.cases import BenchmarkCase
from inference.methods.base import Method, load_method
from inference.methods.batching import batch_size_for
from inference.methods.register import METHODS as METHOD_ENTRIES
from inference.methods.register import WEIGHTS, file_sha256, validate_settings
from inference.physics.degrade import physics_version

STEPS = 20  # of the diffusion sampler, network evaluations of one sample
Progress = Callable[[int, int, str], None]
Image = NDArray[np.float32]


@dataclass(frozen=True)
class ArmSpec:
    """``method``: key of the register, or "" for what no method makes."""

    key: str
    title: str
    method: str
    settings: Mapping[str, object] = field(default_factory=dict)


_ONE = {"steps": STEPS, "guidance": 1.0}
ARMS: dict[str, ArmSpec] = {
    spec.key: spec
    for spec in (
        ArmSpec("degraded", "Degraded input", ""),
        ArmSpec("fitted_baseline", "Fitted baseline", ""),
        ArmSpec("tv_recon", "TV-Recon", "tv_recon"),
        ArmSpec("pix2pix", "Pix2Pix", "pix2pix"),
        ArmSpec("restormer", "Restormer", "restormer"),
        ArmSpec("diffusion_unet", "Diffusion-UNet, one sample, w = 1", "diffusion_unet", _ONE),
        ArmSpec("diffusion_unet_w2", "Diffusion-UNet, one sample, w = 2", "diffusion_unet", {**_ONE, "guidance": 2.0}),
        ArmSpec("diffusion_unet_mean8", "Diffusion-UNet, mean of 8", "diffusion_unet", {**_ONE, "samples": 8}),
    )
}
METHODS = ("tv_recon", "pix2pix", "restormer", "diffusion_unet")  # those of the paper, compared and timed


class Bench:
    """Loads each method once and keeps every image under ``folder``, so that a stopped run goes on."""

    def __init__(self, folder: Path, device: str, weights: Path | None) -> None:
        self.folder, self.device, self.weights = folder, device, weights
        self.baselines = read_baselines()

    def method(self, key: str, settings: Mapping[str, object]) -> Method:
        """A method of the register with the shipped weights, or with those of the ``weights`` folder."""
        name = METHOD_ENTRIES[key].weights
        return load_method(key, settings, self.device, self.weights / name if self.weights and name else None)

    def restore(self, spec: ArmSpec, cases: Sequence[BenchmarkCase], progress: Progress, seed: int = 0) -> list[Image]:
        """(rows, cols) in physical units per case; another ``seed`` is another draw of a sampler."""
        paths = [self.folder / f"{spec.key}-{self._digest(spec, case, seed)}.npy" for case in cases]
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [(case, path) for case, path in zip(cases, paths, strict=True) if not path.is_file()]
        method = self.method(spec.method, spec.settings) if spec.method and missing else None
        at_once = batch_size_for(self.device)
        for start in range(0, len(missing), at_once):
            part = missing[start : start + at_once]
            images = self._made(spec, method, [case for case, _ in part], seed)
            for (_, path), image in zip(part, images, strict=True):
                _store(path, image)
            progress(len(cases) - len(missing) + start + len(part), len(cases), f"reconstructing, {spec.title}")
        return [np.load(path) for path in paths]

    def _made(self, spec: ArmSpec, method: Method | None, cases: Sequence[BenchmarkCase], seed: int) -> list[Image]:
        measured = [case.measurement for case in cases]
        if method is not None:
            return method.reconstruct(measured, [m.seed + 1_000_003 * seed for m in measured])
        if spec.key == "fitted_baseline":
            return [self.baselines[m.modality](m) for m in measured]
        return [m.degraded for m in measured]

    def _digest(self, spec: ArmSpec, case: BenchmarkCase, seed: int) -> str:
        """Of everything the image depends on: case, size, physics, method, settings, weights."""
        path = (self.weights or WEIGHTS) / f"{spec.method}.safetensors"
        made = {
            "case": case.name,
            "seed": seed,
            "shape": case.reference.shape,
            "physics": physics_version,
            "device": self.device,
            "settings": validate_settings(spec.method, spec.settings) if spec.method else {},
            "weights": file_sha256(path) if path.is_file() else "",
            "baseline": str(self.baselines[case.modality]) if spec.key == "fitted_baseline" else "",
        }
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:20]


def _store(path: Path, image: Image) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.save(stream, image)
    partial.replace(path)
