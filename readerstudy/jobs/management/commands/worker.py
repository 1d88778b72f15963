"""``manage.py worker``: one worker in the foreground, for other machines and for containers."""

from __future__ import annotations

import os
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from readerstudy.jobs import queries
from readerstudy.jobs.supervisor import CHECKED, celery_command, cpu_environment


class Command(BaseCommand):
    help = "Run one worker in the foreground; it takes one job at a time until it is told to end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", default="cpu", help="queue, or several separated by commas")
        parser.add_argument("--probe", action="store_true", help="only say whether this machine's worker is alive")
        parser.add_argument("--name", default=f"worker-{os.getpid()}")

    def handle(self, **options: Any) -> None:
        if options["probe"]:
            self._probe(socket.gethostname()[:120])
            return
        queues = [queue.strip() for queue in options["queue"].split(",") if queue.strip()]
        unknown = sorted(set(queues) - set(settings.QUEUES))
        if unknown or not queues:
            raise CommandError(
                f"There is no queue {', '.join(unknown) or 'without a name'}: use one of {', '.join(settings.QUEUES)}."
            )
        connections.close_all()
        os.chdir(settings.BASE_DIR)
        command = celery_command(queues, options["name"])
        # The process becomes the worker, so that signals of a container or service manager reach it directly.
        environment = cpu_environment() if queues == ["cpu"] else CHECKED
        os.execve(command[0], command, os.environ | environment)

    def _probe(self, host: str) -> None:
        """The health check of a worker's container: its heartbeat in the database is young."""
        if not any(worker.host == host for worker in queries.workers()):
            raise CommandError(f"No worker on {host} was seen in the last minute: look at its log and restart it.")
        self.stdout.write("The worker was seen lately.")
