"""Row indices of a bootstrap that draws whole patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def patient_draws(patients: Sequence[str], draws: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """``draws`` index arrays; draws that hold fewer than two rows are left out."""
    rows: dict[str, list[int]] = {}
    for index, patient in enumerate(patients):
        rows.setdefault(patient, []).append(index)
    names = sorted(rows)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        chosen = generator.integers(len(names), size=len(names))
        indices = np.array([i for c in chosen for i in rows[names[c]]], dtype=np.intp)
        if indices.size >= 2:
            yield indices
