"""Ultrasound noise: stated power, stated region, stated dynamic range."""

from __future__ import annotations

import numpy as np
import pytest

from inference.physics import ultrasound


def test_log_compression_inverts_the_envelope() -> None:
    grey = np.linspace(0, 255, 256, dtype=np.float32).reshape(16, 16)
    assert np.abs(ultrasound.log_compress(ultrasound.envelope(grey)) - grey).max() < 1e-3
    assert ultrasound.envelope(np.zeros((1, 1), np.float32))[0, 0] == pytest.approx(
        10 ** (-ultrasound.DYNAMIC_RANGE / 20)
    )


def test_noise_has_unit_power_and_a_resolution_cell() -> None:
    noise = ultrasound.circular_noise((200, 200), np.random.default_rng(0))
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(1.0, rel=0.05)
    assert abs(np.mean(noise.real * noise.imag)) < 0.02
    neighbours = np.mean(noise[:, 1:] * noise[:, :-1].conj()).real
    assert 0.3 < neighbours < 0.95


@pytest.mark.parametrize("snr", [-6.0, 0.0, 6.0])
def test_noise_power_follows_the_ratio(snr: float) -> None:
    grey = np.full((300, 300), 128.0, np.float32)
    noisy = ultrasound.add_noise(grey, snr, np.random.default_rng(1))
    power = np.mean(ultrasound.envelope(noisy) ** 2)
    signal = float(ultrasound.envelope(grey)[0, 0] ** 2)
    assert power / signal == pytest.approx(1 + 10 ** (-snr / 10), rel=0.05)


def test_signal_power_comes_from_the_middle_quartiles() -> None:
    grey = np.zeros((10, 10), np.float32)
    grey[:5] = 100.0
    grey[0, 0] = 255.0  # one bright reflector must not set the noise
    assert ultrasound.signal_power(grey) == pytest.approx(float(ultrasound.envelope(grey[1:2, 1:2])[0, 0] ** 2))


def test_an_empty_image_has_a_defined_power() -> None:
    assert np.isfinite(ultrasound.add_noise(np.zeros((16, 16), np.float32), -6.0, np.random.default_rng(0))).all()


def test_much_signal_leaves_the_image_alone() -> None:
    grey = np.random.default_rng(0).uniform(60, 200, (64, 64)).astype(np.float32)
    assert np.abs(ultrasound.add_noise(grey, 60.0, np.random.default_rng(0)) - grey).max() < 3.0
