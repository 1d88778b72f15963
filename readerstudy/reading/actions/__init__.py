"""What a reader does: prepare, open a session, answer, mark, compare, sign, guess.

Browser and programs call the same verbs.
"""

from readerstudy.reading.actions.answers import Given, Timing, record_answer
from readerstudy.reading.actions.errors import Closed, Conflict, NotPrepared, Paused, ReadingError
from readerstudy.reading.actions.guesses import Guess, record_guesses
from readerstudy.reading.actions.marks import Mark, record_mark
from readerstudy.reading.actions.practice import record_practice, see_practice
from readerstudy.reading.actions.preparation import (
    accept_display,
    draw_display_check,
    give_consent,
    give_record,
    report_display_check,
)
from readerstudy.reading.actions.receiving import Stored
from readerstudy.reading.actions.sessions import begin_fidelity, marks_hash, scores_hash, sign_session, start_session

__all__ = [
    "Closed",
    "Conflict",
    "Given",
    "Guess",
    "Mark",
    "NotPrepared",
    "Paused",
    "ReadingError",
    "Stored",
    "Timing",
    "accept_display",
    "begin_fidelity",
    "draw_display_check",
    "give_consent",
    "give_record",
    "marks_hash",
    "record_answer",
    "record_guesses",
    "record_mark",
    "record_practice",
    "report_display_check",
    "scores_hash",
    "see_practice",
    "sign_session",
    "start_session",
]
