"""The Celery application. It carries wake-ups only; what is to be done stands in the job table."""

from __future__ import annotations

import logging.config
import os
import warnings
from typing import Any

from celery import Celery, signals
from celery.platforms import SecurityWarning
from kombu.entity import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "readerstudy.settings")

from django.conf import settings

# Celery warns root against pickled messages, which are not accepted here.
warnings.filterwarnings("ignore", category=SecurityWarning)


def broker() -> dict[str, Any]:
    """Celery's broker settings: the one in CELERY_BROKER_URL, or files in the data folder."""
    impatient = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
    url = settings.CONFIGURATION.broker_url
    if url:
        options: dict[str, Any] = dict(impatient)
        if url.startswith(("redis", "rediss")):
            options |= {"socket_timeout": 30, "socket_connect_timeout": 3, "socket_keepalive": True}
            options |= {"health_check_interval": 15, "visibility_timeout": 3600}
        return {"broker_url": url, "broker_transport_options": options}
    if settings.TESTING:
        return {"broker_url": "memory://"}
    return {
        "broker_url": "filesystem://localhost",
        "broker_transport": "readerstudy.jobs.transport:Transport",
        "broker_transport_options": {"folder": str(settings.DATA_DIR / "queue"), "polling_interval": 0.25},
    }


def _queue(name: str) -> Any:
    """A queue on the broker's nameless exchange, so that there are no bindings to keep."""
    return Queue(name, Exchange(""), routing_key=name)  # type: ignore[no-untyped-call]


app = Celery("readerstudy")
app.conf.update(
    **broker(),
    broker_connection_timeout=3,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A solo worker can't answer heartbeats while a job runs; leases in the database do that duty.
    broker_heartbeat=0,
    task_queues=[_queue(name) for name in settings.QUEUES],
    task_default_queue=settings.QUEUES[0],
    task_default_exchange="",
    task_default_routing_key=settings.QUEUES[0],
    task_create_missing_queues=False,
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_pool="solo",
    worker_concurrency=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    task_serializer="json",
    accept_content=["json"],
    imports=["readerstudy.jobs.tasks"],
    timezone="UTC",
)


def _logging(**_: Any) -> None:
    """Workers log as the settings say; connected, Celery leaves it alone."""
    logging.config.dictConfig(settings.LOGGING)


def _ready(sender: Any, **_: Any) -> None:
    from readerstudy.jobs import worker

    worker.start(sorted(sender.app.amqp.queues.consume_from))


def _shutting_down(**_: Any) -> None:
    from readerstudy.jobs import worker

    worker.stop()


def _shutdown(**_: Any) -> None:
    from readerstudy.jobs import worker

    worker.leave()


signals.setup_logging.connect(_logging)
signals.worker_ready.connect(_ready)
signals.worker_shutting_down.connect(_shutting_down)
signals.worker_shutdown.connect(_shutdown)
