"""The product's settings with one more kind of job: one that holds its lease by the heartbeat alone."""

from __future__ import annotations

from readerstudy.settings import *  # noqa: F403
from readerstudy.settings import JOB_HANDLERS as OWN

JOB_HANDLERS = OWN | {"test-deaf": "tests.faults.handlers.deaf"}
