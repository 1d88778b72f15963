"""How numbers are printed on the page: rounded, with their interval, or "undefined" and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Printed:
    """``value`` and ``interval`` as text; ``reason`` says why there is none; ``path`` leads to what is behind it."""

    value: str
    interval: str = ""
    reason: str = ""
    method: str = ""
    path: str = ""


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


@dataclass(frozen=True)
class Lens:
    """Numbers of a document printed by their path, as ``at("arms", "tv_recon", "opinion", "mean_score")``."""

    document: Mapping[str, Any]

    def find(self, *path: str | int) -> Any:
        """What stands at a path; an undefined number where there is nothing."""
        found, whole = self._walk(path)
        if whole:
            return found
        reason = found.get("undefined", "not computed") if isinstance(found, Mapping) else "not computed"
        return {"value": None, "undefined": reason}

    def _walk(self, path: tuple[str | int, ...]) -> tuple[Any, bool]:
        """What stands at a path, or at the last place on the way to it; and whether the whole way is there."""
        found: Any = self.document
        for key in path:
            try:
                found = found[key]
            except (KeyError, IndexError, TypeError):
                return found, False
        return found, True

    def at(self, *path: str | int, digits: int = 2, scale: float = 1.0) -> Printed:
        """An estimate with its interval."""
        return self._named(estimate(self.find(*path), digits, scale), path)

    def number(self, *path: str | int, digits: int = 2) -> Printed:
        return self._named(number(self.find(*path), digits), path)

    def part(self, *path: str | int, digits: int = 2) -> Printed:
        """A number that belongs to a test, whose path it gets."""
        return self._named(number(self.find(*path), digits), path[:-1])

    def p(self, *path: str | int) -> Printed:
        """A p value; the path behind it is that of its test."""
        return self._named(p_value(self.find(*path)), path[:-1])

    def spread(self, *path: str | int, digits: int = 2, scale: float = 1.0) -> Printed:
        """A mean with the SD over patients."""
        return self._named(with_spread(self.find(*path), digits, scale), path)

    def _named(self, printed: Printed, path: tuple[str | int, ...]) -> Printed:
        """With its path, unless nothing stands there: then there is nothing to open."""
        return replace(printed, path="/".join(map(str, path))) if self._walk(path)[1] else printed
