"""Row 9: two tabs, two devices, the back button and double submits in any order, on either database."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from bench.load.paced import Place
from bench.report import Figure
from bench.room.world import say
from tests.faults.conftest import ROOT

TESTS = "tests/faults/test_interleavings.py"


def interleavings(folder: Path, place: Place, full: bool, tests: str = TESTS) -> dict[str, Figure]:
    """Sequences of steps after which something was not as the model says; hypothesis shows the shortest of each."""
    count = "1000" if full else "200"
    report = folder / "report.xml"
    environment = os.environ | {
        "READERSTUDY_INTERLEAVINGS": count, "READERSTUDY_TEST_DATA": str(folder), "DATABASE_URL": place.database,
        "CELERY_BROKER_URL": "",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000)
    say(done.stdout[-3000:] if done.returncode else f"{count} interleavings hold")
    cases = list(ElementTree.parse(report).iter("testcase"))
    wrong = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    # A run in which nothing was tried says nothing.
    assert cases and not any(case.find("skipped") is not None for case in cases), done.stdout[-3000:]
    return {"f9_violations": Figure(len(wrong), "tests")}
