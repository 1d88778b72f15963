"""Total variation on CT projections: better than back-projection, with the exact transpose and a true duality gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.methods.base import Measurement, load_method
from inference.methods.register import needs_projections
from inference.methods.total_variation import gradient_adjoint
from inference.methods.tv_projections import System, feasible_dual, system_of, tv_projections, unit_data
from inference.physics import ct
from inference.physics.degrade import degrade

SIZE = 64
WEIGHT = 0.005


def body(size: int = SIZE) -> np.ndarray:
    """Ellipses off centre in HU."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    hu = np.full((size, size), -1000.0)
    hu[(x / 0.75) ** 2 + (y / 0.6) ** 2 < 1] = 0.0
    hu[((x - 0.25) / 0.25) ** 2 + ((y + 0.1) / 0.18) ** 2 < 1] = 60.0
    hu[((x + 0.3) / 0.2) ** 2 + ((y - 0.1) / 0.2) ** 2 < 1] = -100.0
    return hu.astype(np.float32)


@pytest.fixture(scope="module")
def case() -> Measurement:
    return degrade(body(), "CT", 0.25, seed=0, data_range=2924.0, already_noisy=False, keep_projections=True)


@pytest.fixture(scope="module")
def problem(case: Measurement) -> tuple[torch.Tensor, System, torch.Tensor]:
    assert case.projections is not None
    coarse = ct.Geometry(90, case.projections.geometry.detectors, case.projections.geometry.detector_spacing)
    system = system_of((SIZE, SIZE), case.projections.spacing, coarse)
    projections = replace(case.projections, line_integrals=case.projections.line_integrals[::8], geometry=coarse)
    return unit_data(system, projections, -1024.0, 1900.0), system, torch.from_numpy((case.degraded + 1024.0) / 2924.0)


def rmse(image: np.ndarray) -> float:
    return float(np.sqrt(np.mean((image - body()) ** 2)))


def test_it_beats_back_projection_and_denoising_at_quarter_dose(case: Measurement) -> None:
    settings: dict[str, object] = {"data_term": "projections", "gap": 1e-2}
    (image,) = load_method("tv_recon", settings).reconstruct([case], [0])
    (denoised,) = load_method("tv_recon").reconstruct([case], [0])
    assert image.dtype == np.float32
    assert rmse(image) < 0.5 * rmse(case.degraded) and rmse(image) < 0.7 * rmse(denoised)


def test_gap_falls_and_bounds_the_distance_to_the_minimum(
    problem: tuple[torch.Tensor, System, torch.Tensor],
) -> None:
    data, system, start = problem
    results = [tv_projections(data, system, start, WEIGHT, n, 0.0) for n in (10, 30, 100, 400)]
    gaps = [r.measure for r in results]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 2e-3
    energies = [system.energy(r.image, data, WEIGHT) for r in results]
    assert all(0.0 <= e - energies[-1] <= g * e for e, g in zip(energies[:-1], gaps, strict=False))


def test_it_stops_at_the_gap(problem: tuple[torch.Tensor, System, torch.Tensor]) -> None:
    data, system, start = problem
    result = tv_projections(data, system, start, WEIGHT, 200, 1e-2)
    assert result.measure <= 1e-2 and result.iterations <= 100


def test_a_repaired_dual_obeys_both_constraints(problem: tuple[torch.Tensor, System, torch.Tensor]) -> None:
    data, system, _ = problem
    p = torch.randn(2, SIZE, SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, repaired = feasible_dual(data, system.adjoint(data), p, system, WEIGHT)
    residual = system.adjoint(y) + gradient_adjoint(repaired)
    assert float(residual.abs().max()) < 1e-9 * float(system.adjoint(data).abs().max())


def test_power_iteration_nears_the_norm_from_below(problem: tuple[torch.Tensor, System, torch.Tensor]) -> None:
    system = problem[1]
    vector = torch.ones((SIZE, SIZE), dtype=torch.float64)
    vector[::2] = -0.5
    for _ in range(60):
        vector = system.adjoint(system.filtered(system.project(vector / vector.norm()), system.ramp))
    assert 0.75 * float(vector.norm()) < system.norm <= float(vector.norm()) * (1 + 1e-3)


def test_projections_are_kept_only_where_asked_for(case: Measurement) -> None:
    same = degrade(body(), "CT", 0.25, seed=0, data_range=2924.0, already_noisy=False)
    assert same.projections is None and same.degraded.tobytes() == case.degraded.tobytes()
    assert case.projections is not None
    lines, geometry = case.projections.line_integrals, case.projections.geometry
    assert lines.dtype == np.float32 and lines.shape == (geometry.views, geometry.detectors)
    back = ct.filtered_back_projection(
        lines.astype(np.float64), (SIZE, SIZE), case.projections.spacing, geometry, ct.FILTER, ct.CUTOFF
    )
    assert np.abs(ct.hounsfield(back) - case.degraded).max() < 0.1
    assert degrade(np.abs(body()), "MR", 4.0, seed=0, data_range=1.0, keep_projections=True).projections is None


def test_what_it_needs_is_said(case: Measurement) -> None:
    method = load_method("tv_recon", {"data_term": "projections"})
    with pytest.raises(ValueError, match="degrade it with keep_projections, or set data_term to image"):
        method.reconstruct([replace(case, projections=None)], [0])
    assert method.precision == "float32, CT float64"
    assert needs_projections("tv_recon", {"data_term": "projections"})
    assert not needs_projections("tv_recon", {}) and not needs_projections("pix2pix", {})


def test_the_option_concerns_ct_alone() -> None:
    grey = degrade(np.abs(body()), "US", -6.0, seed=0, data_range=255.0)
    plain, option = (load_method("tv_recon", s).reconstruct([grey], [0])[0] for s in ({}, {"data_term": "projections"}))
    assert np.array_equal(plain, option)
