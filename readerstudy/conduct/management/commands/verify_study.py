"""``manage.py verify_study [ID]``: check chain, commitment, orders, pixels and scores of one study or of all."""

from __future__ import annotations

import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from readerstudy.audit import actions as audit
from readerstudy.conduct.verify import verify_study
from readerstudy.studies.models import Study


class Command(BaseCommand):
    help = "Check chain, commitment, orders, pixels and scores of one study, or of all and the installation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="?", help="The study's id; all studies without it.")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = 0
        for study in self._studies(options["study"]):
            found = list(verify_study(study))
            faults += len(found)
            self.stdout.write(f"{study.pk} {study.title}: {'holds' if not found else f'{len(found)} faults'}")
            for sentence in found:
                self.stdout.write(f"  {sentence}")
        if options["study"] is None:
            for fault in audit.verify(audit.INSTALLATION):
                faults += 1
                self.stdout.write(f"Installation: {fault.reason}")
        if faults:
            sys.exit(1)

    def _studies(self, pk: str | None) -> list[Study]:
        if pk is None:
            return list(Study.objects.all())
        try:
            return [Study.objects.get(pk=pk)]
        except (Study.DoesNotExist, ValidationError) as error:
            raise CommandError(f"There is no study {pk}: see the list on the studies page.") from error
