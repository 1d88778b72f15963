"""Gunicorn's settings under ``manage.py up``; address and threads come from the command line."""

from __future__ import annotations

from typing import Any

from readerstudy.jobs.launch import die_with

worker_class = "gthread"
workers = 1
timeout = 60
graceful_timeout = 5
keepalive = 5
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "readerstudy-web"


def post_fork(server: Any, worker: Any) -> None:
    # The kernel clears the death signal at a fork, so that every generation has to ask for it again.
    die_with(server.pid)
