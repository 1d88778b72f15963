"""``manage.py demo``: the whole chain on one machine, from DICOM files to figures, then a study to read."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from readerstudy.cases.actions import CaseError
from readerstudy.demo import report, steps
from readerstudy.demo.people import People, make_people
from readerstudy.studies.actions import StudyError


class Command(BaseCommand):
    help = "Run the whole chain: import, reconstruct, read, analyse; then serve a second study to read yourself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--size", choices=sorted(steps.SIZES), default="small")
        parser.add_argument("--cases", type=Path, help="a folder or zip of DICOM of your own")
        parser.add_argument("--no-serve", action="store_true", help="end after the report")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo prints passwords: start it with make demo, or set READERSTUDY_DEMO=1.")
        self.seconds: dict[str, float] = {}
        (settings.DATA_DIR / "demo").mkdir(parents=True, exist_ok=True)
        try:
            people = self._run(options)
        except (CaseError, StudyError) as error:
            raise CommandError(str(error)) from error
        self._print_logins(people)
        if not options["no_serve"]:
            sys.stdout.flush()
            os.chdir(settings.BASE_DIR)
            os.execv(sys.executable, [sys.executable, "manage.py", "up", "--port", str(options["port"])])

    def _run(self, options: dict[str, Any]) -> People:
        size, folder = steps.SIZES[options["size"]], settings.DATA_DIR / "demo"
        with self._step("database"):
            call_command("migrate", verbosity=0)
            call_command("createcachetable", verbosity=0)
            people = make_people()
        with self._step("cases"):
            steps.import_wheel(people)
            if options["cases"]:
                steps.import_yours(options["cases"].resolve(), people)
            steps.import_phantoms(size, people)
        with self._step("reconstructions"):
            refused = steps.request_all(people)
            with steps.workers(options["workers"]):
                steps.wait_for_jobs(folder / "workers.log")
            for sentence in refused:
                self.stdout.write(f"  {sentence}")
        missing = steps.count_missing()
        with self._step("scores"):
            study = steps.make_study(f"Demo, read by programs ({options['size']})", size, people, people.simulated)
            scores = steps.read(study)
        with self._step("statistics"):
            snapshot = steps.conclude(study, people)
            document = json.loads(snapshot.statistics)
            files = report.write_files(snapshot, people.analyst, folder / options["size"])
            yours = f"Demo, yours to read ({options['size']})"
            steps.make_study(yours, size, people, people.readers, fidelity=0.1)
        report.print_results(study, document)
        report.write_report(folder / "report.json", study, document, missing, scores, self.seconds)
        for path in (folder / "report.json", *files):
            self.stdout.write(f"  {os.path.relpath(path)}")
        return people

    def _print_logins(self, people: People) -> None:
        self.stdout.write("\nSign in with (demo only, this machine only):")
        for name, password in people.passwords.items():
            self.stdout.write(f"  {name:14} {password}")
        self.stdout.write("")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started
