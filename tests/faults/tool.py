"""Speaks to the database under test: reads one verb and its JSON a line, answers each with one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command
from django.db import connection


def prepare() -> None:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE faults_done (key varchar(200), token varchar(40))")


def submit(jobs: list[dict[str, Any]]) -> None:
    from readerstudy.jobs import actions

    actions.submit_many(actions.Submission(**job) for job in jobs)


def report() -> dict[str, Any]:
    from readerstudy.jobs.models import Job, Worker

    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM faults_done ORDER BY key")
        rows = [row[0] for row in cursor.fetchall()]
    jobs = {
        job.key: {
            "state": job.state,
            "attempts": job.attempts,
            "reason": job.reason,
            "progress": job.progress,
        }
        for job in Job.objects.all()
    }
    return {"jobs": jobs, "rows": rows, "workers": [worker.pid for worker in Worker.objects.all()]}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.faults.settings")
    django.setup()
    verbs: dict[str, Callable[..., Any]] = {"prepare": prepare, "submit": submit, "report": report}
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        print(json.dumps(verbs[verb](*arguments)), flush=True)
