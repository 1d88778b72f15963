"""SD maps: how far a method's draws of a slice lie apart, stored beside the reconstruction as uint16.

``SD = step * stored``. The step is one for a case: the range of its metrics over 65,535, so that the maps of all its
slices and runs can be compared by their stored numbers and nothing is clipped. Readers never get a map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.data.grid import HU_RANGE
from readerstudy.cases import store
from readerstudy.cases.models import Case
from readerstudy.reconstructions.models import Reconstruction, Run

TOP = 65535
UNITS = {"CT": "HU", "MR": "units of the magnitude", "US": "grey levels"}
ESTIMATOR = "standard deviation (n - 1) over the samples, pixel by pixel"


def step_of(case: Case) -> float:
    """Physical units of SD per stored step."""
    return (case.data_range or case.slope * TOP) / TOP


def keep_map(deviation: NDArray[np.float32], reference: NDArray[np.float32], case: Case) -> dict[str, Any]:
    """Store a map (rows, columns; physical units) and return the columns that name it.

    Padding of the reference is padding in every arm, so that it has no deviation. Raises ``ValueError``.
    """
    if deviation.shape != reference.shape:
        raise ValueError(f"The SD map is {deviation.shape}, its slice {reference.shape}: return the same shape.")
    if not np.isfinite(deviation).all() or deviation.min() < 0:
        raise ValueError("The SD map holds values that are no standard deviations: return finite ones from 0 on.")
    shown = np.where(reference <= HU_RANGE[0], 0.0, deviation) if case.modality == "CT" else deviation
    step = step_of(case)
    stored = np.clip(np.rint(shown.astype(np.float64) / step), 0, TOP).astype(np.uint16)
    return {"uncertainty": store.put_slice(stored), "uncertainty_step": step}


def read_map(row: Reconstruction, case: Case) -> NDArray[np.float32]:
    """The SD map (rows, columns) of a reconstruction that has one, in physical units; raises ``PixelsMissing``."""
    assert row.uncertainty_step is not None
    stored = store.get_slice(row.uncertainty, case.rows, case.columns)
    return (stored * row.uncertainty_step).astype(np.float32)


def samples_of(run: Run) -> int:
    """Draws per slice, as the run's settings say."""
    return int(run.settings.get("samples", 1))
