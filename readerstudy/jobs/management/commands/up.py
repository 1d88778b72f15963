"""``manage.py up``: the product's start command."""

from __future__ import annotations

import ipaddress
import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from readerstudy.jobs.startup import Refusal
from readerstudy.jobs.supervisor import Plan, Supervisor

STARTING_CHECKS = [tag for name, tag in vars(Tags).items() if name.isidentifier() and not name.startswith("_")]
STARTING_CHECKS.remove(Tags.urls)


class Command(BaseCommand):
    # All but the check of addresses, which loads every page: the web server does that a second later anyway.
    requires_system_checks = STARTING_CHECKS
    help = "Start web server and workers on this machine; Ctrl-C ends all of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--workers", type=int, default=min(2, max(1, os.cpu_count() or 1)), help="CPU workers")
        parser.add_argument("--gpu-workers", type=int, default=int(settings.DEVICE == "cuda"), help="one per GPU")
        parser.add_argument("--threads", type=int, default=8, help="threads of the web server")
        parser.add_argument("--no-web", action="store_true", help="workers only")
        parser.add_argument("--no-worker", action="store_true", help="web server only")

    def handle(self, **options: Any) -> None:
        if settings.DEMO and not loopback(options["bind"]):
            raise CommandError(
                "The demo has printed passwords and serves this machine only: leave out --bind, "
                "or set READERSTUDY_DEMO=0."
            )
        if options["no_web"] and options["no_worker"]:
            raise CommandError("There is nothing to start: leave out --no-web or --no-worker.")
        if min(options["workers"], options["gpu_workers"]) < 0 or options["threads"] < 1:
            raise CommandError("Give 0 or more workers and 1 or more threads.")
        working = not options["no_worker"]
        plan = Plan(
            bind=options["bind"],
            port=options["port"],
            threads=0 if options["no_web"] else options["threads"],
            cpu_workers=options["workers"] if working else 0,
            gpu_workers=options["gpu_workers"] if working else 0,
        )
        try:
            Supervisor(plan, self._say).run()
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def loopback(address: str) -> bool:
    """Whether an address reaches this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
