"""Gunicorn's settings, under ``manage.py up`` and in the image; address and threads come from the command line."""

from __future__ import annotations

import os
from typing import Any

from readerstudy import logs
from readerstudy.jobs.launch import die_with

worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or min(2, os.cpu_count() or 1))  # a second one from two cores on
timeout = 60
graceful_timeout = 5
keepalive = 5
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"
logconfig_dict = logs.configuration(os.environ.get("READERSTUDY_LOG_FORMAT") or "plain")
proc_name = "readerstudy-web"


def post_fork(server: Any, worker: Any) -> None:
    # The kernel clears the death signal at a fork, so that every generation has to ask for it again.
    die_with(server.pid)
