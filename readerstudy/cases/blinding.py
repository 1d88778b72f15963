"""Who may see a case unblinded: rooms on the right know who reads it, and say no in the name of their studies."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.utils.module_loading import import_string

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case


class LookRefused(PermissionDenied):
    """Why a person may not see a case unblinded; ``sentence`` says what to do and is shown on the page."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def require_may_look(cases: Sequence[Case], user: User) -> None:
    """Ask every check of the settings' ``LOOK_CHECKS``; raises ``LookRefused``."""
    for name in settings.LOOK_CHECKS:
        import_string(name)(cases, user)
