"""The one Celery task: it has no content and may arrive late, twice or never."""

from __future__ import annotations

from readerstudy.celery import app
from readerstudy.jobs import dispatch, worker


@app.task(name=dispatch.TASK, ignore_result=True, acks_late=True)  # type: ignore[untyped-decorator,unused-ignore]
def wake(queue: str) -> None:
    """Work until the queue is empty, with a pause for Celery's own business every minute."""
    if worker.work(queue, seconds=60):
        dispatch.send(queue)
