"""What every number of the statistics document is: its definition, its unit and its source, from a table of words."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("definitions.toml")


@dataclass(frozen=True)
class Definition:
    """``digits`` and ``scale`` say how the number is printed; ``strips`` which images stand behind it."""

    title: str
    text: str
    source: str = ""
    unit: str = ""
    digits: int = 2
    scale: float = 1.0
    strips: str = "arm"


UNKNOWN = Definition("A number of the statistics document", "It has no entry among the definitions.")


@cache
def definitions() -> tuple[tuple[str, Definition], ...]:
    """Pattern and definition, in the order of the table."""
    rows = tomllib.loads(TABLE.read_text())["definition"]
    return tuple((row.pop("pattern"), Definition(**row)) for row in rows)


def definition(path: str) -> Definition:
    """The definition of a number by its path, for example ``arms/tv_recon/opinion/mean_score``."""
    return next((found for pattern, found in definitions() if fnmatchcase(path, pattern)), UNKNOWN)
