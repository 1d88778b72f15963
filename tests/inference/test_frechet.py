"""Frechet distance and KID against closed forms; the patient bootstrap of FID-Med."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from inference.metrics.bootstrap import patient_draws
from inference.metrics.frechet import fid_med, frechet_distance, kid


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> np.ndarray:
    """A sample whose mean and covariance are exactly the given ones."""
    x = np.random.default_rng(seed).standard_normal((n, len(mean)))
    x = x - x.mean(axis=0)
    whitened = x @ linalg.inv(linalg.sqrtm(np.cov(x, rowvar=False)).real)
    return mean + whitened @ linalg.sqrtm(covariance).real


def test_closed_form_of_two_gaussians() -> None:
    a = np.array([[2.0, 0.4, 0.0], [0.4, 1.0, 0.2], [0.0, 0.2, 0.5]])
    b = np.array([[1.0, -0.3, 0.1], [-0.3, 1.5, 0.0], [0.1, 0.0, 2.0]])
    mean = np.array([1.0, -2.0, 0.5])
    expected = mean @ mean + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    measured = frechet_distance(with_moments(mean, a, 50, 0), with_moments(np.zeros(3), b, 60, 1))
    assert measured == pytest.approx(float(expected), rel=1e-9)


def test_one_dimension_by_hand() -> None:
    a, b = np.array([[0.0], [2.0]]), np.array([[3.0], [9.0]])
    sigma_a, sigma_b = np.sqrt(2.0), np.sqrt(18.0)
    assert frechet_distance(a, b) == pytest.approx(25.0 + (sigma_a - sigma_b) ** 2)


def test_a_set_has_no_distance_to_itself() -> None:
    x = np.random.default_rng(0).standard_normal((40, 5))
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)


def test_rank_deficient_sets_give_a_number() -> None:
    generator = np.random.default_rng(0)
    assert np.isfinite(frechet_distance(generator.standard_normal((5, 32)), generator.standard_normal((5, 32))))


def test_kid_by_hand_and_unbiased() -> None:
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    within = (0 + 1.0) ** 3, (2.0 + 1.0) ** 3
    between = np.mean([(0 + 1) ** 3, (0 + 1) ** 3, (1 + 1) ** 3, (2 + 1) ** 3])
    assert kid(x, y) == pytest.approx(sum(within) - 2 * between)
    generator = np.random.default_rng(1)
    same = [kid(generator.standard_normal((30, 4)), generator.standard_normal((30, 4))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)


def test_bootstrap_draws_whole_patients() -> None:
    patients = ["a", "a", "b", "c", "c", "c"]
    for rows in patient_draws(patients, 50, seed=0):
        counts = {p: [int((rows == i).sum()) for i, q in enumerate(patients) if q == p] for p in "abc"}
        assert all(len(set(c)) == 1 for c in counts.values())
        assert sum(c[0] for c in counts.values()) == 3


def test_fid_med_has_an_interval_and_is_marked_when_small() -> None:
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((60, 40))
    result = fid_med(reference, reference + 0.3, [f"p{i % 12}" for i in range(60)], dimensions=4)
    assert result.marked == "" and result.n == 60 and result.n_patients == 12
    assert result.value == pytest.approx(4 * 0.09, rel=1e-6)
    assert result.ci_low <= result.value <= result.ci_high + 1e-9
    few = fid_med(reference, reference, [f"p{i % 12}" for i in range(60)])
    assert "60 slices are too few for 32 dimensions" in few.marked
    lone = fid_med(reference, reference, ["p"] * 60, dimensions=4, allow_small=True)
    assert "1 patients are too few for an interval" in lone.marked


@pytest.mark.parametrize(("slices", "patients"), [(32, 8), (8, 4), (40, 1)])
def test_sets_too_small_are_refused_unless_told_and_marked_then(slices: int, patients: int) -> None:
    generator = np.random.default_rng(0)
    reference, made = generator.standard_normal((2, slices, 32))
    names = [f"p{i % patients}" for i in range(slices)]
    with pytest.raises(ValueError, match=f"{slices} slices of {patients} patients are too few for FID-Med in 32"):
        fid_med(reference, made, names)
    assert "too few" in fid_med(reference, made, names, draws=2, allow_small=True).marked


def test_same_seed_same_interval() -> None:
    x = np.random.default_rng(0).standard_normal((30, 4))
    first, second = (fid_med(x, x * 1.1, [str(i // 3) for i in range(30)], 4, seed=5) for _ in range(2))
    assert first == second


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="compares the same slices"):
        fid_med(np.zeros((4, 2)), np.zeros((5, 2)), ["a"] * 4)
    with pytest.raises(ValueError, match="equal width"):
        frechet_distance(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="at least two images"):
        kid(np.zeros((1, 2)), np.zeros((4, 2)))
