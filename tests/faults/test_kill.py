"""kill -9 of each process in mid-run: every job is done exactly once and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.conftest import ROOT, wait_for

pytestmark = pytest.mark.faults
KEYS = [f"job{number}" for number in range(5)]
JOBS = [{"key": key, "kind": "test-sleep", "payload": {"seconds": 0.2}, "total": 4} for key in KEYS]


def started(installation, count: int) -> None:
    """Wait until so many executions have begun."""
    wait_for(lambda: len(installation.executions()) >= count, 30, installation.log)


def all_done(report) -> bool:
    return all(job["state"] == "done" for job in report["jobs"].values())


def check_exactly_once(installation, report, kills: int) -> None:
    """One row per job, whole files only, and no more executions than kills explain."""
    assert report["rows"] == KEYS
    assert all(job["progress"] == 4 for job in report["jobs"].values())
    work = installation.data / "work"
    files = {path.name: path.read_text() for path in work.glob("job*.txt")}
    whole = {f"{key}-{unit}.txt": f"{key} {unit}\n" * 100 for key in KEYS for unit in range(4)}
    assert files == whole
    assert len(KEYS) <= len(installation.executions()) <= len(KEYS) + kills


def test_worker_web_and_supervisor_are_killed_in_turn(installation):
    installation.submit(*JOBS)
    installation.up()
    started(installation, 1)
    time.sleep(0.3)
    installation.kill("celery")
    started(installation, 3)
    installation.kill("gunicorn")
    assert installation.page() == "here"
    started(installation, 4)
    installation.supervisor.kill()
    installation.supervisor.wait()
    wait_for(lambda: installation.processes() == [], 2, lambda: str(installation.processes()))
    installation.up()
    report = installation.wait(all_done)
    check_exactly_once(installation, report, kills=2)
    assert installation.end() < 8
    assert installation.supervisor.returncode == 0
    assert installation.processes() == []


def test_a_job_that_kills_its_worker_is_stopped_after_three(installation):
    installation.submit({"key": "poison", "kind": "test-poison", "priority": 1}, JOBS[0])
    installation.up("--no-web")
    report = installation.wait(lambda report: report["jobs"]["poison"]["state"] == "failed")
    assert report["jobs"]["poison"]["attempts"] == 3
    assert report["jobs"]["poison"]["reason"] == "stopped after 3 attempts: the worker died each time"
    assert installation.executions().count("poison") == 3
    installation.wait(lambda report: report["jobs"]["job0"]["state"] == "done")


def test_a_lost_message_costs_seconds_only(installation):
    installation.up("--no-web")
    installation.wait(lambda report: len(report["workers"]) == 1)
    unheard = installation.start_tool(CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    installation.submit(JOBS[0], tool=unheard)
    _, errors = unheard.communicate(timeout=10)
    assert "the reaper will send it" in errors
    installation.wait(all_done, 60)
    assert installation.executions() == ["job0"]


def test_ctrl_c_gives_the_running_job_back(installation):
    installation.submit({"key": "deaf", "kind": "test-deaf", "payload": {"seconds": 60}})
    installation.up("--no-web")
    started(installation, 1)
    begun = time.monotonic()
    installation.supervisor.send_signal(signal.SIGINT)
    assert installation.supervisor.wait(60) == 0
    assert time.monotonic() - begun < 9
    job = installation.report()["jobs"]["deaf"]
    assert (job["state"], job["attempts"]) == ("queued", 0)
    assert installation.processes() == []


def test_a_long_handler_keeps_its_job_by_heartbeat_alone(installation):
    """The lease of these settings is 3 s; a second worker looks for expired jobs all the time."""
    installation.submit({"key": "deaf", "kind": "test-deaf", "payload": {"seconds": 5}})
    installation.up("--no-web", "--workers", "2")
    installation.wait(all_done, 30)
    assert installation.executions() == ["deaf"]


def test_a_second_start_is_refused_with_a_sentence(installation):
    installation.up("--no-worker")
    assert installation.page() == "here"
    command = [sys.executable, "manage.py", "up", "--port", "0"]
    second = subprocess.run(command, cwd=ROOT, env=installation.environment, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert f"process {installation.supervisor.pid}, started 20" in second.stderr
    assert f"already runs on {installation.data}: stop it first" in second.stderr
    assert "Traceback" not in second.stderr
    assert installation.page() == "here"


def test_a_worker_of_another_machine_dies_alone_and_its_job_goes_on(installation):
    """`manage.py worker` has no supervisor: only the lease and the reaper bring its job back."""
    installation.submit(JOBS[0])
    command = [sys.executable, "manage.py", "worker", "--name", "far"]
    with (installation.data / "up.log").open("ab") as log:
        far = subprocess.Popen(command, cwd=ROOT, env=installation.environment, stdout=log, stderr=log)
    started(installation, 1)
    os.kill(far.pid, signal.SIGKILL)
    far.wait()
    installation.up("--no-web")
    report = installation.wait(all_done)
    assert report["rows"] == ["job0"]
    assert installation.executions() == ["job0", "job0"]
