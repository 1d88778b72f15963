"""``python -m readerstudy.analytics recompute EXPORT.zip``: an export's numbers again, without a database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from readerstudy.analytics.inputs import RESEARCH_USE
from readerstudy.analytics.lines import InputError
from readerstudy.analytics.recompute import recompute


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m readerstudy.analytics", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("recompute", help="recompute an exported zip and compare every number")
    command.add_argument("export", type=Path)
    given = parser.parse_args(arguments)
    try:
        made = recompute(given.export)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(_summary(made.document))
    if made.difference is not None:
        found = made.difference
        print(
            f"The first difference is {found.path}: exported {found.exported!r}, recomputed {found.recomputed!r}.",
            file=sys.stderr,
        )
        return 1
    print(f"All {made.numbers} numbers are as exported (10 significant digits; 5 for fitted mixed models).")
    return 0


def _summary(document: Mapping[str, Any]) -> str:
    lines = [document["study"]["title"], f"{RESEARCH_USE}."]
    if document["simulated"]:
        lines.append("SIMULATED READERS: the scores were made by a program, not by people.")
    for arm, block in document["arms"].items():
        lines.append(
            f"  {arm:<16} mean score {_printed(block['opinion']['mean_score'])}   "
            f"Fleiss' kappa {_printed(block['agreement']['fleiss_kappa'])}"
        )
    return "\n".join(lines)


def _printed(estimate: Mapping[str, Any]) -> str:
    """Value and interval with 10 significant digits, or why there is none."""
    if estimate["value"] is None:
        return f"undefined ({estimate['undefined']})"
    if estimate["ci_low"] is None:
        return f"{estimate['value']:.10g} ({estimate['method']})"
    return f"{estimate['value']:.10g} ({estimate['ci_low']:.10g} to {estimate['ci_high']:.10g})"


if __name__ == "__main__":
    sys.exit(main())
