"""What every statistic returns: an estimate with its interval, or the reason why there is none."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

CONDITIONAL = "conditional on these readers"


@dataclass(frozen=True)
class Estimate:
    """A value with a 95 % interval; the interval is absent where ``method`` says why."""

    value: float
    ci_low: float | None
    ci_high: float | None
    method: str


@dataclass(frozen=True)
class Undefined:
    """A statistic that does not exist for these data, with the reason in words a reader understands."""

    reason: str


Result: TypeAlias = Estimate | Undefined
Number: TypeAlias = float | int | Undefined


def without_interval(value: float, reason: str) -> Estimate:
    """An estimate whose value is defined but whose interval is not."""
    return Estimate(float(value), None, None, f"interval undefined: {reason}")


def finite(value: float, reason: str) -> Number:
    """The value as a plain float, or ``Undefined`` where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else Undefined(reason)


def as_json(result: Any) -> Any:
    """Strict JSON types of any result: dataclasses become objects, ``Undefined`` a null with its reason.

    Raises ValueError for NaN or infinity: they must have become ``Undefined`` where they arose.
    """
    if isinstance(result, Undefined):
        return {"value": None, "undefined": result.reason}
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return {f.name: as_json(getattr(result, f.name)) for f in dataclasses.fields(result)}
    if isinstance(result, Mapping):
        return {str(key): as_json(value) for key, value in result.items()}
    if isinstance(result, (list, tuple, np.ndarray)):
        return [as_json(value) for value in result]
    if isinstance(result, np.generic):
        return as_json(result.item())
    if isinstance(result, float) and not math.isfinite(result):
        raise ValueError("A statistic came out as NaN or infinity; report it as undefined where it arose.")
    return result
