"""``manage.py prepare``: bring the database up to date, once, before web servers and workers start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from readerstudy.jobs import startup


class Command(BaseCommand):
    help = "Bring the database up to date; harmless to run twice, on PostgreSQL also at the same time."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--static", action="store_true", help="only collect the static files, as an image is built")

    def handle(self, **options: Any) -> None:
        if options["static"]:
            startup.collect_static(self.stdout.write)
            return
        startup.migrate(self.stdout.write)
        self.stdout.write("The database is up to date.")
