"""Loaded before Django: tests keep their data in a folder of their own, and so does each of several processes."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if "READERSTUDY_TEST_DATA" not in os.environ:
    folder = tempfile.mkdtemp(prefix="readerstudy-test-")
    os.environ["READERSTUDY_TEST_DATA"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
worker = os.environ.get("PYTEST_XDIST_WORKER", "")
os.environ["READERSTUDY_DATA"] = os.path.join(os.environ["READERSTUDY_TEST_DATA"], worker)
for name in ("CELERY_BROKER_URL", "READERSTUDY_TEST_BROKER_URL"):
    broker, _, database = os.environ.get(name, "").rpartition("/")
    if worker and broker.startswith("redis://") and database.isdecimal():
        # Two processes that shared a Redis database would take each other's wake-ups.
        os.environ[name] = f"{broker}/{int(database) + int(worker.removeprefix('gw'))}"
os.makedirs(os.path.join(os.environ["READERSTUDY_DATA"], "static"), exist_ok=True)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("READERSTUDY_DEMO", None)
# People sign in to servers that tests start; tests of the second factor turn it on for themselves.
os.environ["READERSTUDY_REQUIRE_MFA"] = "0"
