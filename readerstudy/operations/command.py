"""What the three commands share: they say what they do, and end with one sentence where they refuse."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from readerstudy.cases.store import PixelsAway
from readerstudy.jobs.startup import Refusal


class OperationCommand(BaseCommand):
    requires_system_checks = []  # a setting that pages mind must not keep anybody from a backup

    def handle(self, **options: Any) -> None:
        try:
            self.work(**options)
        except (Refusal, PixelsAway) as refusal:
            raise CommandError(str(refusal)) from None

    def work(self, **options: Any) -> None:
        raise NotImplementedError

    def say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()
