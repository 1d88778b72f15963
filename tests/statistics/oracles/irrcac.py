"""Gwet's coefficients of irrCAC 0.4.4, which needs SciPy 1.12: run it in an environment of its own.

``python -m venv irr``, ``irr/bin/pip install irrCAC``, ``python -m tests.statistics.oracles.tables FOLDER``, then
``irr/bin/python tests/statistics/oracles/irrcac.py FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from irrCAC.datasets import raw_4raters
from irrCAC.raw import CAC


def main(folder: Path) -> None:
    """Print every coefficient with its standard error and interval."""
    tables = {"Gwet's four raters": raw_4raters()}
    for name, arm in (("poor_readers_gaps", "arm1"), ("ceiling", "arm0")):
        long = pd.read_csv(folder / f"{name}.csv").query("arm == @arm")
        tables[f"{name} {arm}"] = long.pivot(index="slice", columns="reader", values="score").astype(float)
    for name, table in tables.items():
        for weights in ("identity", "linear", "quadratic"):
            found = CAC(table, weights=weights, categories=[1, 2, 3, 4, 5], digits=12)
            for made in (found.conger(), found.fleiss(), found.gwet()):
                value = made["est"]
                print(
                    name,
                    weights,
                    value["coefficient_name"],
                    value["coefficient_value"],
                    value["se"],
                    *value["confidence_interval"],
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
