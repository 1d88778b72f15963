"""``manage.py jobs``: what waits, runs and failed; ``--retry`` queues failed jobs again, ``--alarm`` watches."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from readerstudy.jobs import actions, queries


class Command(BaseCommand):
    help = "Show the jobs, the workers and the failures; --retry queues failed and cancelled jobs again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--prefix", default="", help="only jobs whose key starts with this")
        parser.add_argument("--retry", action="store_true", help="queue failed and cancelled jobs again")
        parser.add_argument("--alarm", type=float, metavar="SECONDS", help="only say whether a job has waited longer")

    def handle(self, **options: Any) -> None:
        if options["alarm"] is not None:
            if sentence := queries.alarm(options["alarm"]):
                raise CommandError(sentence)
            self.stdout.write("No job waits too long.")
            return
        prefix = options["prefix"]
        if options["retry"]:
            count = actions.retry(prefix=prefix)
            self.stdout.write(f"{count} jobs were queued again.")
        counts = queries.counts(prefix)
        for name in ("queued", "running", "done", "failed", "cancelled"):
            self.stdout.write(f"{name:<10}{getattr(counts, name):>8}")
        self.stdout.write(f"{'units':<10}{counts.progress:>8} of {counts.total}")
        if counts.eta_seconds is not None and counts.open:
            self.stdout.write(f"About {counts.eta_seconds:.0f} s left.")
        for worker in queries.workers():
            doing = worker.current or "idle"
            self.stdout.write(f"worker {worker.host}:{worker.pid} ({worker.queue}): {doing}")
        if counts.open and not queries.workers():
            self.stdout.write("No worker is running: start one with `manage.py up` or `manage.py worker`.")
        for failure in queries.failures(prefix):
            self.stdout.write(f"failed {failure.kind} {failure.key}: {failure.reason}")
