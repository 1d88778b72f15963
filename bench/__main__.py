"""``python -m bench [SUITE]``: run one suite, or all."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

SUITES = sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py") if p.stem != "report")


def main() -> None:
    wanted = sys.argv[1:] or SUITES
    for suite in wanted:
        if suite not in SUITES:
            sys.exit(f"There is no suite {suite!r}: choose one of {', '.join(SUITES)}.")
        print(f"\n{suite}")
        runpy.run_module(f"bench.{suite}", run_name="__main__")


if __name__ == "__main__":
    main()
