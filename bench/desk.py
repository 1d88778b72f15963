"""The coordinator's desk in a full house: 10,000 cases, 500 studies, 1,000,000 scores; ``make bench SUITE=desk``.

``slowest_list_page_ms``: the largest median of five requests (after one) over every list page of every role.
``most_queries``: the largest number of queries that one of them makes. Both at most 300 and 15.
The database is made anew in a temporary folder (SQLite), or in the empty one that DATABASE_URL names.
READERSTUDY_BENCH_DIVIDE=100 tries it on a hundredth.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from bench.report import Figure, main


def run() -> dict[str, Figure]:
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="readerstudy-bench-") as folder:
        environment = os.environ | {
            "READERSTUDY_DATA": folder, "READERSTUDY_DEMO": "", "READERSTUDY_REQUIRE_MFA": "0", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "bench.filled", "--divide", os.environ.get("READERSTUDY_BENCH_DIVIDE", "1")]
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    if answer.returncode:
        sys.exit(answer.returncode)
    timings: list[dict[str, Any]] = json.loads(answer.stdout.splitlines()[-1])
    print(_table(timings))
    listed = [row for row in timings if row["listing"]]
    slowest, most = max(listed, key=lambda row: row["ms"]), max(listed, key=lambda row: row["queries"])
    print(f"\nslowest: {slowest['role']} {slowest['path']}\nmost queries: {most['role']} {most['path']}\n")
    return {
        "slowest_list_page_ms": Figure(slowest["ms"], "ms"),
        "most_queries": Figure(most["queries"], "queries"),
        "list_pages": Figure(len(listed), "pages"),
        "whole_bench_s": Figure(time.perf_counter() - begun, "s"),
    }


def _table(timings: list[dict[str, Any]]) -> str:
    """Every page by its time; those that are no lists in brackets."""
    lines = [f"{'ms':>9} {'queries':>7}  page"]
    for row in sorted(timings, key=lambda row: -row["ms"]):
        page = f"{row['role']} {row['path']}" + (f" ({row['note']})" if row["note"] else "")
        lines.append(f"{row['ms']:9.1f} {row['queries']:7}  {page if row['listing'] else f'[{page}]'}")
    return "\n".join(lines)


if __name__ == "__main__":
    main("desk", run)
