"""Handlers that leave a trace of all they do: a whole file per unit, a line per execution, a row per job."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

from readerstudy.jobs.claims import Claim


def folder() -> Path:
    path = Path(settings.DATA_DIR) / "work"
    path.mkdir(parents=True, exist_ok=True)
    return path


def sleep(claim: Claim) -> None:
    """Write one file per unit under a temporary name, then record the job's end with its row, once."""
    trace(claim)
    for unit in range(claim.total):
        time.sleep(claim.payload["seconds"])
        part = folder() / f".{claim.key}-{unit}-{claim.token}.part"
        with part.open("w") as stream:
            stream.write(f"{claim.key} {unit}\n" * 100)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(folder() / f"{claim.key}-{unit}.txt")
        claim.progress(unit + 1)
    with claim.fenced(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO faults_done VALUES (%s, %s)", [claim.key, str(claim.token)])
        claim.finish()


def poison(claim: Claim) -> None:
    """Kill the process in the middle of the job, each time."""
    trace(claim)
    os.kill(os.getpid(), signal.SIGKILL)


def deaf(claim: Claim) -> None:
    """Work on without ever looking at the claim, as a long call into a library does."""
    trace(claim)
    time.sleep(claim.payload["seconds"])


def trace(claim: Claim) -> None:
    line = f"{claim.key} {claim.attempt} {os.getpid()}\n".encode()
    descriptor = os.open(folder() / "executions.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, line)
    os.close(descriptor)
