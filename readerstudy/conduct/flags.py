"""What the monitor flags: fixed here before any study opens, and written into the audit entry of its opening."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Flags:
    """From ``enough`` scores on: a share of scores that came too fast, and one value for everything."""

    too_fast_share: float = 0.1
    enough: int = 20

    @property
    def too_fast_percent(self) -> int:
        return round(100 * self.too_fast_share)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


FLAGS = Flags()


def flags_from(data: Mapping[str, Any]) -> Flags:
    """The flags as an opening recorded them; today's where it recorded none."""
    kept = data.get("flags")
    return Flags(float(kept["too_fast_share"]), int(kept["enough"])) if kept else FLAGS
