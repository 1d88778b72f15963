"""Many claim at once: every job goes to one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.faults.conftest import ROOT

pytestmark = pytest.mark.faults


def test_processes_and_threads_never_claim_the_same_job(installation):
    keys = [f"k{number:03}" for number in range(120)]
    installation.submit(*({"key": key, "kind": "test-sleep"} for key in keys))
    command = [sys.executable, "-m", "tests.faults.racing", "4"]
    racers = [
        subprocess.Popen(command, cwd=ROOT, env=installation.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    claimed = [tuple(pair) for racer in racers for pair in json.loads(racer.communicate(timeout=60)[0])]
    assert Counter(claimed) == Counter((key, 1) for key in keys)
    assert {job["state"] for job in installation.report()["jobs"].values()} == {"done"}
