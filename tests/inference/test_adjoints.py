"""<A x, y> = <x, A* y> for every linear operator, with the complex inner product where there are complex ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage

from inference.data.fastmri import crop_readout
from inference.methods import total_variation as tv
from inference.methods.tv_fourier import periodic_gradient, periodic_gradient_adjoint, to_frequencies, to_pixels
from inference.methods.tv_projections import System
from inference.physics import ct, ct_kernels, mri

Operator = Callable[[np.ndarray], np.ndarray]
SHAPE, SPACING = (31, 40), (1.1, 1.3)
GEOMETRY = ct.geometry_for(SHAPE, SPACING, views=17)
SINOGRAM = (GEOMETRY.views, GEOMETRY.detectors)
SYSTEM = System(SHAPE, SPACING, GEOMETRY)
MASK = mri.line_mask(SHAPE[1], 3.0, np.random.default_rng(0))


def on_tensors(function: Callable[[torch.Tensor], torch.Tensor]) -> Operator:
    return lambda x: function(torch.from_numpy(x)).numpy()


def masked(x: np.ndarray) -> np.ndarray:
    return mri.to_k_space(x) * MASK


def masked_adjoint(y: np.ndarray) -> np.ndarray:
    return mri.to_image(y * MASK)


def filtered(y: np.ndarray) -> np.ndarray:
    return SYSTEM.filtered(torch.from_numpy(y), SYSTEM.ramp).numpy()


def back_projection_matrix_free(x: np.ndarray) -> np.ndarray:
    """Transpose of the pixel-driven back-projection: each pixel spread over the two bins it reads."""
    bins = np.eye(GEOMETRY.detectors)
    rows = []
    for view in range(GEOMETRY.views):
        angle = GEOMETRY.angles[view : view + 1]
        images = [
            ct_kernels.back_project_numpy(one[None], SHAPE, SPACING, angle, GEOMETRY.detector_spacing) for one in bins
        ]
        rows.append([float((image * x).sum()) for image in images])
    return np.asarray(rows)


def back_project(y: np.ndarray) -> np.ndarray:
    return ct_kernels.back_project(y, SHAPE, SPACING, GEOMETRY.angles, GEOMETRY.detector_spacing)


PADDED = 1 << int(np.ceil(np.log2(2 * GEOMETRY.detectors)))
FINER = [ndimage.zoom(np.eye(n), (ct.OVERSAMPLING, 1), order=3, mode="nearest", grid_mode=True) for n in SHAPE]
FINE_SHAPE = (SHAPE[0] * ct.OVERSAMPLING, SHAPE[1] * ct.OVERSAMPLING)
FINE_SPACING = (SPACING[0] / ct.OVERSAMPLING, SPACING[1] / ct.OVERSAMPLING)
READOUT = 18


def filtered_back_projection_adjoint(x: np.ndarray) -> np.ndarray:
    """The transpose of the back-projection, then the filter, which is its own transpose: its kernel is even."""
    sinogram = back_projection_matrix_free(x)
    spectrum = np.fft.rfft(sinogram, n=PADDED, axis=1) * ct.filter_response(PADDED)
    kept = np.fft.irfft(spectrum, n=PADDED, axis=1)[:, : GEOMETRY.detectors]
    return kept * (np.pi / (2 * GEOMETRY.views * GEOMETRY.detector_spacing))


def fine_projections_adjoint(y: np.ndarray) -> np.ndarray:
    """Back to the finer grid, and by the transposes of the interpolations along rows and columns to the image's."""
    fine = ct.project_adjoint(y, FINE_SHAPE, FINE_SPACING, GEOMETRY)
    return FINER[0].T @ fine @ FINER[1]


def readout_adjoint(y: np.ndarray) -> np.ndarray:
    """Lines of ``READOUT`` image rows to as many as were measured, zeros around them."""
    rows, first = SHAPE[0], SHAPE[0] // 2 - READOUT // 2
    lines = np.zeros(SHAPE, np.complex128)
    lines[first : first + READOUT] = centred(np.fft.ifft, y)
    assert rows >= first + READOUT
    return centred(np.fft.fft, lines)


def centred(transform: Callable[..., np.ndarray], x: np.ndarray) -> np.ndarray:
    return np.fft.fftshift(transform(np.fft.ifftshift(x, axes=0), axis=0, norm="ortho"), axes=0)


OPERATORS: dict[str, tuple[Operator, Operator, tuple[int, ...], tuple[int, ...], type]] = {
    "projection": (
        lambda x: ct.project(x, SPACING, GEOMETRY),
        lambda y: ct.project_adjoint(y, SHAPE, SPACING, GEOMETRY),
        SHAPE,
        SINOGRAM,
        np.float64,
    ),
    "scaled projection": (on_tensors(SYSTEM.project), on_tensors(SYSTEM.adjoint), SHAPE, SINOGRAM, np.float64),
    "back-projection": (back_projection_matrix_free, back_project, SHAPE, SINOGRAM, np.float64),
    "filtered back-projection": (
        lambda y: ct.filtered_back_projection(y, SHAPE, SPACING, GEOMETRY),
        filtered_back_projection_adjoint,
        SINOGRAM,
        SHAPE,
        np.float64,
    ),
    "projection on a finer grid": (
        lambda x: ct.fine_projections(x, SPACING, GEOMETRY),
        fine_projections_adjoint,
        SHAPE,
        SINOGRAM,
        np.float64,
    ),
    "readout's cropping": (
        lambda x: crop_readout(x, READOUT),
        readout_adjoint,
        SHAPE,
        (READOUT, SHAPE[1]),
        np.complex64,
    ),
    "ramp filter": (filtered, filtered, SINOGRAM, SINOGRAM, np.float64),
    "Fourier": (mri.to_k_space, mri.to_image, SHAPE, SHAPE, np.complex64),
    "masked Fourier": (masked, masked_adjoint, SHAPE, SHAPE, np.complex64),
    "uncentred Fourier": (on_tensors(to_frequencies), on_tensors(to_pixels), SHAPE, SHAPE, np.complex128),
    "gradient": (on_tensors(tv.gradient), on_tensors(tv.gradient_adjoint), SHAPE, (2, *SHAPE), np.float64),
    "complex gradient": (on_tensors(tv.gradient), on_tensors(tv.gradient_adjoint), SHAPE, (2, *SHAPE), np.complex128),
    "periodic gradient": (
        on_tensors(periodic_gradient),
        on_tensors(periodic_gradient_adjoint),
        SHAPE,
        (2, *SHAPE),
        np.complex128,
    ),
}


def draw(shape: tuple[int, ...], kind: type, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    real, imaginary = generator.standard_normal((2, *shape))
    return (real + 1j * imaginary if np.issubdtype(kind, np.complexfloating) else real).astype(kind)


@pytest.mark.parametrize("name", OPERATORS)
def test_inner_products_agree(name: str) -> None:
    forward, adjoint, domain, codomain, kind = OPERATORS[name]
    for seed in (0, 1):
        x, y = draw(domain, kind, seed), draw(codomain, kind, seed + 10)
        there, back = forward(x), adjoint(y)
        left, right = np.vdot(there, y), np.vdot(x, back)
        assert abs(left - right) <= 1e-5 * np.linalg.norm(there) * np.linalg.norm(y)
        assert abs(left - right) <= 1e-5 * np.linalg.norm(x) * np.linalg.norm(back)
