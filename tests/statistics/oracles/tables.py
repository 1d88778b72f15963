"""The tables of the mixed models as long CSV for R: ``python -m tests.statistics.oracles.tables FOLDER``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from tests.statistics.tables import CLMM_TABLES


def write(folder: Path) -> None:
    """One file a table: score, arm, slice, reader, and the interactions sa and ra."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in CLMM_TABLES.items():
        with (folder / f"{name.replace(',', '').replace(' ', '_')}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["score", "arm", "slice", "reader", "sa", "ra"])
            for (s, a, r), score in np.ndenumerate(make()):
                if np.isfinite(score):
                    writer.writerow([int(score), f"arm{a}", f"S{s}", f"R{r}", f"S{s}:arm{a}", f"R{r}:arm{a}"])


if __name__ == "__main__":
    write(Path(sys.argv[1]))
