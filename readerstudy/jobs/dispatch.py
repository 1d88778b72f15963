"""Wake-ups: messages without content that tell a worker to look into the job table."""

from __future__ import annotations

import logging
from functools import partial

from django.db import transaction

log = logging.getLogger(__name__)
TASK = "readerstudy.jobs.wake"


def wake_workers(queue: str, count: int = 1) -> None:
    """Send wake-ups once the running transaction has committed (at once when there is none)."""
    transaction.on_commit(partial(send, queue, count), robust=True)


def send(queue: str, count: int = 1) -> bool:
    """Send now; a broker that does not answer costs nothing, since the reaper sends again."""
    from readerstudy.celery import app

    try:
        # A connection of its own: threads of a web server may not share one, a pool waits for a dead broker.
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0.1, timeout=3)
            for _ in range(count):
                app.send_task(TASK, args=[queue], queue=queue, connection=connection, retry=False)
    except Exception as error:
        log.warning("No wake-up was sent to the queue %s (%s); the reaper will send it.", queue, error)
        return False
    return True
