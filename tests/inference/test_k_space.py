"""Coils, crops and measurements from measured k-space: exact where they are linear, close where they estimate."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.data.fastmri import (
    combine_coils,
    crop_image,
    crop_readout,
    expand_coils,
    root_sum_of_squares,
    sensitivity_maps,
    single_coil,
)
from inference.physics import mri
from inference.physics.degrade import degrade_k_space
from tests.inference.fastmri_factory import multi_coil, scene, sensitivities, single_coil_k_space

SHARED = Path(os.environ.get("READERSTUDY_SHARED_DATA", "no-shared-data")) / "pool/kspace/sigpy_cartesian_ksp.npy"


def noise(shape: tuple[int, ...], seed: int) -> NDArray[np.complex64]:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(shape) + 1j * generator.standard_normal(shape)).astype(np.complex64)


@pytest.mark.parametrize("shape", [(32, 32), (33, 40), (31, 27)])
def test_combining_and_expanding_coils_are_adjoint(shape: tuple[int, int]) -> None:
    maps = sensitivity_maps(noise((6, *shape), 0))
    x, y = noise((6, *shape), 1), noise(shape, 2)
    left, right = np.vdot(combine_coils(x, maps), y), np.vdot(x, expand_coils(y, maps))
    assert abs(left - right) < 1e-5 * np.linalg.norm(x) * np.linalg.norm(y)
    assert abs(left - right) < 1e-5 * abs(left)


def test_for_given_maps_the_emulated_coil_is_linear() -> None:
    maps, (x, y) = sensitivities(5, (40, 36)), (noise((5, 40, 36), seed) for seed in (1, 2))
    both = single_coil((2j * x + 3 * y).astype(np.complex64), maps)
    apart = 2j * single_coil(x, maps) + 3 * single_coil(y, maps)
    assert np.linalg.norm(both - apart) < 1e-6 * np.linalg.norm(apart)


def test_with_the_true_maps_the_image_comes_back_whole() -> None:
    k_space = single_coil(multi_coil(1)[0], sensitivities(4))
    assert np.linalg.norm(mri.to_image(k_space) - scene()) < 1e-6 * np.linalg.norm(scene())


@pytest.mark.parametrize("coils", [2, 4, 15])
def test_with_its_own_maps_the_image_comes_back_within_a_few_percent(coils: int) -> None:
    image = mri.to_image(single_coil(multi_coil(1, coils)[0]))
    inside = np.abs(scene()) > 0
    error = np.abs(np.abs(image) - np.abs(scene()))[inside] / 1e-3
    assert error.mean() < 0.01 and np.quantile(error, 0.99) < 0.05
    # The object's own phase stays in the image: it differs from the truth by something smooth only.
    turned = (image * scene().conj())[inside]
    assert np.abs(np.angle(turned * np.conj(turned.mean()))).max() < 1.0
    assert np.angle(image[inside]).std() > 0.2


def test_maps_are_normalised_and_one_coil_is_itself() -> None:
    maps = sensitivity_maps(multi_coil(1)[0])
    inside = np.abs(scene()) > 0
    np.testing.assert_allclose((np.abs(maps) ** 2).sum(axis=0)[inside], 1.0, atol=1e-4)
    alone = single_coil_k_space(1)
    np.testing.assert_array_equal(single_coil(alone), alone[0])
    np.testing.assert_allclose(root_sum_of_squares(alone), np.abs(scene()), atol=1e-8)
    np.testing.assert_allclose(root_sum_of_squares(multi_coil(1)[0]), np.abs(scene()), atol=1e-8)


def test_the_global_phase_of_the_input_passes_through() -> None:
    k_space = multi_coil(1)[0]
    turned = single_coil((1j * k_space).astype(np.complex64))
    assert np.linalg.norm(turned - 1j * single_coil(k_space)) < 1e-4 * np.linalg.norm(turned)


def test_readout_oversampling_goes_without_mixing_lines() -> None:
    k_space = single_coil_k_space(1)[0]
    mask = mri.line_mask(k_space.shape[1], 4.0, np.random.default_rng(1))
    cropped = crop_readout((k_space * mask).astype(np.complex64), 48)
    assert cropped.shape == (48, 72) and not cropped[:, ~mask].any()
    np.testing.assert_array_equal(cropped, crop_readout(k_space, 48) * mask)
    np.testing.assert_allclose(mri.to_image(crop_readout(k_space, 48)), crop_image(scene(), (48, 72)), atol=1e-8)
    with pytest.raises(ValueError, match="does not fit into 96 x 72"):
        crop_readout(k_space, 97)


def test_a_measurement_of_measured_k_space_says_so_and_follows_its_seed() -> None:
    k_space = single_coil_k_space(1)[0]
    first, same, other = (
        degrade_k_space(k_space, 4.0, seed=s, pixel_spacing=(0.5, 0.5), data_range=2e-3) for s in (1, 1, 2)
    )
    assert first.degraded.tobytes() == same.degraded.tobytes() != other.degraded.tobytes()
    assert first.mask is not None and first.k_space is not None
    np.testing.assert_array_equal(first.k_space, k_space * first.mask)
    np.testing.assert_array_equal(first.degraded, np.abs(mri.to_image(first.k_space)))
    np.testing.assert_array_equal(first.mask, mri.line_mask(72, 4.0, np.random.default_rng(1)))
    stated = first.parameters
    assert stated["k_space"] == "measured, single coil"
    assert stated["real_acceleration"] == 72 / 18 and "phase_order" not in stated
    emulated = degrade_k_space(k_space, 4.0, seed=1, data_range=2e-3, emulated_coil=True)
    assert str(emulated.parameters["k_space"]).startswith("measured, emulated single coil")
    assert (first.modality, first.level, first.pixel_spacing, first.data_range) == ("MR", 4.0, (0.5, 0.5), 2e-3)


def test_full_sampling_returns_the_measured_magnitude() -> None:
    measured = degrade_k_space(single_coil_k_space(1)[0], 1.0, seed=1, data_range=2e-3)
    np.testing.assert_allclose(measured.degraded, np.abs(scene()), atol=1e-8)


@pytest.mark.parametrize(("start", "stop"), [(6, 66), (5, 72), (0, 70), (0, 45)])
def test_zero_padding_is_neither_drawn_nor_counted(start: int, stop: int) -> None:
    k_space = single_coil_k_space(1)[0]
    k_space[:, :start], k_space[:, stop:] = 0, 0
    measured = degrade_k_space(k_space, 4.0, seed=3, data_range=2e-3)
    mask = measured.mask
    assert mask is not None and mask.sum() == round((stop - start) / 4) and not mask[:start].any()
    assert not mask[stop:].any() and mask[36]
    centre = mri.acs_slice(mask)
    assert centre.stop - centre.start >= round(mri.ACS_SHARE * (stop - start))
    assert measured.parameters["lines"] == stop - start
    assert measured.parameters["zero_padded_lines"] == 72 - (stop - start)
    spread = single_coil(multi_coil(1)[0])  # combining coils fills the padding, so the caller names the lines
    named = degrade_k_space(spread, 4.0, seed=3, data_range=2e-3, lines=(start, stop))
    np.testing.assert_array_equal(named.mask, mask)


def test_k_space_that_cannot_be_undersampled_is_refused() -> None:
    k_space = single_coil_k_space(1)[0]
    missing, broken = k_space.copy(), k_space.copy()
    missing[:, 20], broken[3, 3] = 0, np.nan
    shifted = np.zeros_like(k_space)
    shifted[:, :30] = k_space[:, :30]
    for wrong, level, words in (
        (missing, 4.0, "Lines are missing"),
        (broken, 4.0, "not numbers"),
        (np.zeros_like(k_space), 4.0, "zero frequency"),
        (shifted, 4.0, "zero frequency"),
        (multi_coil(1)[0], 4.0, "combine its coils first"),
        (k_space, 99.0, "acceleration of MR must be between 1 and 16"),
    ):
        with pytest.raises(ValueError, match=words):
            degrade_k_space(wrong, level, seed=1, data_range=1.0)
    with pytest.raises(ValueError, match="pass one slice at a time"):
        single_coil(k_space)
    with pytest.raises(ValueError, match="differ in shape"):
        combine_coils(multi_coil(1)[0], sensitivities(3))


@pytest.mark.skipif(not SHARED.is_file(), reason="READERSTUDY_SHARED_DATA does not name a folder with pool/kspace/")
def test_a_real_eight_coil_k_space_combines_like_its_root_sum_of_squares() -> None:
    k_space = np.load(SHARED)
    maps = sensitivity_maps(k_space)
    total = root_sum_of_squares(k_space)
    combined = single_coil(k_space)
    image = np.abs(mri.to_image(combined))
    body = total > 0.2 * total.max()
    assert np.corrcoef(image[body], total[body])[0, 1] > 0.95
    assert 0.85 < image[body].mean() / total[body].mean() <= 1.0
    y = noise(combined.shape, 1)
    left, right = np.vdot(combined, y), np.vdot(k_space, expand_coils(y, maps))
    assert abs(left - right) < 1e-5 * np.linalg.norm(k_space) * np.linalg.norm(y)
    measured = degrade_k_space(combined, 4.0, seed=7, data_range=float(image.max()), emulated_coil=True)
    assert measured.mask is not None and measured.mask.sum() == 45
