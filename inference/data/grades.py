"""Graded degradations of a reference, for practice only: what each grade of a 1-5 scale may look like.

Grade 5 is the image itself; lower grades add blur and noise in equal visual steps. This is no physics of any scanner
and no method's output, so that practising on it primes nobody for an arm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

BLUR = {5: 0.0, 4: 0.9, 3: 1.6, 2: 2.6, 1: 4.2}
NOISE = {5: 0.0, 4: 0.02, 3: 0.05, 2: 0.09, 1: 0.15}
MATRIX = 256


def graded(image: NDArray[np.float32], window_width: float, grade: int, seed: int) -> NDArray[np.float32]:
    """``image`` (rows, columns; physical units) degraded to ``grade`` (1-5), the same for the same seed.

    Blur: a Gaussian whose SD in pixels is ``BLUR`` for 256 columns and scales with the width. Noise: white, its SD a
    share (``NOISE``) of the slice's window width. Raises ``ValueError`` for another grade.
    """
    if grade not in BLUR:
        raise ValueError(f"A grade is 1, 2, 3, 4 or 5, not {grade}.")
    if grade == max(BLUR):
        return image
    blurred = gaussian_filter(image.astype(np.float64), BLUR[grade] * image.shape[1] / MATRIX)
    noise = np.random.default_rng([seed, grade]).normal(0.0, NOISE[grade] * window_width, image.shape)
    return (blurred + noise).astype(np.float32)
