"""The register and the shipped methods behind their one interface."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from inference.methods.base import Measurement, Method, load_method
from inference.methods.degraded import Degraded
from inference.methods.register import METHODS, MethodEntry, validate_settings
from inference.physics.degrade import degrade
from inference.physics.levels import LEVELS
from tests.inference.pool_factory import grey

FAST: dict[str, dict[str, object]] = {"diffusion_unet": {"steps": 2}, "tv_recon": {"iterations": 20}}


def measurement(modality: str, shape: tuple[int, int], seed: int = 0) -> Measurement:
    image = (grey(seed, shape) * 200).astype(np.float32)
    reference = image * 5 - 1024 if modality == "CT" else image
    level = LEVELS[modality].default
    measured = degrade(reference, modality, level, seed=seed, data_range=float(reference.max()))
    return replace(measured, reference=reference)


@pytest.fixture(scope="module")
def methods() -> dict[str, Method]:
    return {key: load_method(key, FAST.get(key)) for key in METHODS}


def test_register_imports_no_torch() -> None:
    code = "import sys, inference.methods.register, inference.methods.base, inference.physics.degrade\n"
    code += "import inference.metrics.fidelity, inference.metrics.frechet, inference.data.split\n"
    code += "assert 'torch' not in sys.modules and 'django' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_order_of_the_register() -> None:
    expected = ["reference", "degraded", "tv_recon", "pix2pix", "restormer", "diffusion_unet"]
    assert list(METHODS) == expected


@pytest.mark.parametrize("key", sorted(METHODS))
def test_any_shape_and_modality(key: str, methods: dict[str, Method]) -> None:
    cases = [measurement("CT", (48, 53)), measurement("MR", (51, 64)), measurement("US", (57, 49))]
    images = methods[key].reconstruct(cases, [1, 2, 3])
    for case, image in zip(cases, images, strict=True):
        assert image.shape == case.degraded.shape and image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= (-1024.0 if case.modality == "CT" else 0.0)
        assert case.modality != "US" or image.max() <= 255.0


@pytest.mark.parametrize("key", sorted(METHODS))
def test_a_result_depends_on_its_seed_not_on_its_mates(key: str, methods: dict[str, Method]) -> None:
    cases = [measurement("MR", (48, 48), seed=s) for s in (1, 2)]
    together = methods[key].reconstruct(cases, [7, 8])
    alone = methods[key].reconstruct(cases[1:], [8])
    again = methods[key].reconstruct(cases[::-1], [8, 7])
    assert together[1].tobytes() == alone[0].tobytes() == again[0].tobytes()


def test_only_the_sampler_is_random(methods: dict[str, Method]) -> None:
    case = measurement("CT", (48, 48))
    for key, method in methods.items():
        first, second = (method.reconstruct([case], [seed])[0] for seed in (1, 2))
        assert (first.tobytes() != second.tobytes()) == (key == "diffusion_unet")


def test_methods_state_what_they_are(methods: dict[str, Method]) -> None:
    for key, method in methods.items():
        assert (method.key, method.name) == (key, METHODS[key].title)
        assert method.version and method.precision == "float32"
        assert bool(method.weights_hash) == (METHODS[key].weights is not None)
    sampler = methods["diffusion_unet"]
    assert "dpm-solver++, 2 steps" in sampler.sampler
    single, double = (load_method("diffusion_unet", {"steps": 6, "guidance": w}) for w in (1.0, 2.0))
    assert (single.network_calls, double.network_calls) == (6, 12)


def test_guidance_in_an_interval_costs_fewer_calls() -> None:
    method = load_method("diffusion_unet", {"steps": 10, "guidance": 2.0, "guidance_low": 200, "guidance_high": 700})
    assert method.network_calls == 10 + 5


def test_reference_needs_its_reference(methods: dict[str, Method]) -> None:
    with pytest.raises(ValueError, match=r"set Measurement\.reference"):
        methods["reference"].reconstruct([replace(measurement("CT", (48, 48)), reference=None)], [0])


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("nothing", {}, "There is no method 'nothing': choose one of reference"),
        ("pix2pix", {"stepz": 1}, "Pix2Pix has no setting 'stepz': its settings are data_consistency"),
        ("diffusion_unet", {"steps": 0}, "steps must be between 1 and 1000, not 0"),
        ("diffusion_unet", {"steps": 2.5}, "set steps to a whole number, not 2.5"),
        ("diffusion_unet", {"steps": True}, "set steps to a whole number, not True"),
        ("diffusion_unet", {"sampler": "euler"}, "sampler must be one of ddpm, ddim, dpm-solver++"),
        ("restormer", {"data_consistency": 1}, "set data_consistency to true or false, not 1"),
    ],
)
def test_wrong_settings_say_what_is_allowed(key: str, given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        validate_settings(key, given)
    assert words in str(caught.value)


def test_defaults_are_filled_in() -> None:
    settings = validate_settings("diffusion_unet", {"guidance": 1})
    assert settings["guidance"] == 1.0 and isinstance(settings["guidance"], float)
    assert settings["sampler"] == "dpm-solver++"


def test_a_new_method_is_one_module_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Negative(Degraded):
        key = "negative"
        name = "Negative"

        def reconstruct(self, measurements, seeds):  # type: ignore[no-untyped-def]
            return [255.0 - m.degraded for m in measurements]

    module = ModuleType("negative_method")
    module.Negative = Negative  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "negative_method", module)
    monkeypatch.setitem(METHODS, "negative", MethodEntry("negative", "Negative", "negative_method:Negative"))
    case = measurement("US", (48, 48))
    assert np.array_equal(load_method("negative").reconstruct([case], [0])[0], 255.0 - case.degraded)
