"""The method guess: given once, after the last signature, for all images of the draw at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.reading.actions.errors import Closed, ReadingError
from readerstudy.reading.guessing import guess_is_open, guess_items, has_guessed
from readerstudy.reading.models import MethodGuess
from readerstudy.schedules.models import Pane, Schedule
from readerstudy.studies.models import Study

DONT_KNOW = ""
LONGEST_REASON = 400


@dataclass(frozen=True)
class Guess:
    """What the reader thinks of one image: an arm's key, or empty for "don't know", and why."""

    presentation: str
    pane: int
    guessed: str
    reason: str = ""


@transaction.atomic
def record_guesses(user: User, schedule: Schedule, guesses: Sequence[Guess]) -> None:
    """Store the guesses for all images of the draw, once. Raises ``Closed`` or ``ReadingError``."""
    # The study's row first, as everywhere; then the schedule's, where two tabs queue up.
    study = Study.objects.select_for_update().get(pk=schedule.study_id)
    schedule = Schedule.objects.select_for_update().get(pk=schedule.pk)
    schedule.study = study
    if not guess_is_open(schedule):
        raise Closed(_("Guesses are taken after your last signature, while the study is open."))
    if study.paused:
        raise Closed(_("The study is paused: give your guesses when it goes on."))
    if has_guessed(schedule):
        raise Closed(_("Your guesses are stored already: they can't change any more."))
    _check(schedule, guesses)
    entry = record(
        study.chain, user.handle, "guess", f"schedule:{schedule.pk}",
        {"guesses": [asdict(guess) for guess in guesses]},
    )  # fmt: skip
    panes = {
        (pane.presentation_id, pane.index): pane
        for pane in Pane.objects.filter(presentation__in=[guess.presentation for guess in guesses])
    }
    MethodGuess.objects.bulk_create(
        MethodGuess(pane=panes[guess.presentation, guess.pane], guessed=guess.guessed, reason=guess.reason, entry=entry)
        for guess in guesses
    )


def _check(schedule: Schedule, guesses: Sequence[Guess]) -> None:
    """Every image of the draw once, with a key of the study; raises ``ReadingError``."""
    drawn = sorted((item.presentation, item.pane) for item in guess_items(schedule))
    if sorted((guess.presentation, guess.pane) for guess in guesses) != drawn:
        raise ReadingError(_("Choose a method, or that you don't know, for every image."))
    known = {DONT_KNOW, *schedule.study.arms.values_list("key", flat=True)}
    if not all(guess.guessed in known for guess in guesses):
        raise ReadingError(_("Choose one of the methods of this study, or that you don't know."))
    if any(len(guess.reason) > LONGEST_REASON for guess in guesses):
        raise ReadingError(_("Give your reasons in up to {n} characters each.").format(n=LONGEST_REASON))
