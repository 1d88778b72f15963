"""Loaded before Django: tests keep their data in a folder of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if "READERSTUDY_TEST_DATA" not in os.environ:
    folder = tempfile.mkdtemp(prefix="readerstudy-test-")
    os.environ["READERSTUDY_TEST_DATA"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["READERSTUDY_DATA"] = os.environ["READERSTUDY_TEST_DATA"]
os.makedirs(os.path.join(os.environ["READERSTUDY_DATA"], "static"), exist_ok=True)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("READERSTUDY_DEMO", None)
