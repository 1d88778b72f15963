"""How numbers are printed on the page: rounded, with their interval, or "undefined" and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Printed:
    """``value`` and ``interval`` as text; ``reason`` says why there is none."""

    value: str
    interval: str = ""
    reason: str = ""
    method: str = ""


UNDEFINED = "undefined"


def fixed(value: float, digits: int) -> str:
    """The number with so many decimals; what rounds to zero has no sign."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def estimate(data: Mapping[str, Any], digits: int = 2, scale: float = 1.0) -> Printed:
    """An estimate of the contract, times ``scale`` (100 for percent)."""
    if data.get("value") is None:
        return Printed(UNDEFINED, reason=str(data.get("undefined", "not computed")))
    low, high, method = data.get("ci_low"), data.get("ci_high"), str(data.get("method", ""))
    value = fixed(scale * data["value"], digits)
    if low is None or high is None:
        return Printed(value, reason=method)
    return Printed(value, f"{fixed(scale * low, digits)} to {fixed(scale * high, digits)}", method=method)


def number(data: Any, digits: int = 2) -> Printed:
    """A plain number of the contract, or its "undefined"."""
    if isinstance(data, Mapping):
        return Printed(UNDEFINED, reason=str(data.get("undefined", "not computed")))
    if data is None:
        return Printed(UNDEFINED, reason="not computed")
    return Printed(fixed(data, digits))


def p_value(data: Any) -> Printed:
    """A p value with three decimals; smaller ones as "< .001"."""
    if isinstance(data, Mapping) or data is None:
        return number(data)
    return Printed("< 0.001" if data < 0.001 else f"{data:.3f}")


def with_spread(data: Mapping[str, Any], digits: int, scale: float = 1.0) -> Printed:
    """Mean ± SD over patients, with n and a mark where n is small."""
    if data.get("value") is None:
        return Printed(UNDEFINED, reason=str(data.get("undefined", "not computed")))
    spread = data["sd"]
    text = f"{scale * data['value']:.{digits}f}"
    if not isinstance(spread, Mapping):
        text += f" ± {scale * spread:.{digits}f}"
    return Printed(text, reason=data["marked"])
