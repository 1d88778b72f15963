"""What readers gave, row by row against the audit chain: answers, times, comments, sessions, marks, guesses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from readerstudy.audit.models import Entry
from readerstudy.conduct.frozen import together
from readerstudy.reading.models import Annotation, Answer, MethodGuess, Score
from readerstudy.schedules.models import Schedule, Session
from readerstudy.studies.models import Study

KEPT = ("score", "mark", "compared")
TIMING = ("painted_at", "scored_at", "elapsed_ms", "idle_ms", "too_fast")
SIGNED = ("scores", "marks", "meaning")


def answers_hold(study: Study) -> Iterator[str]:
    """One sentence per row that says something else than its entry."""
    entries = list(Entry.objects.filter(chain__name=study.chain, verb__in=[*KEPT, "guess"]).order_by("sequence"))
    yield from _answers(study, [entry for entry in entries if entry.verb in KEPT])
    yield from _persons(study, entries)
    yield from _scores(study, [entry for entry in entries if entry.verb == "score"])
    yield from _sessions(study)
    yield from _origins(study, entries)


def _answers(study: Study, entries: list[Entry]) -> Iterator[str]:
    """Every entry has its answer under its key, and no answer is without its entry."""
    live = {str(row.key): row for row in Answer.objects.filter(presentation__session__schedule__study=study)}
    told = {entry.data["key"]: entry for entry in entries}
    for key in sorted(live.keys() | told.keys()):
        row, entry = live.get(key), told.get(key)
        held = row is not None and entry is not None
        if not (
            held and (row.entry_id, row.presentation_id) == (entry.pk, entry.data["presentation"])  # type: ignore[union-attr]
            and together(row.received_at, entry)  # type: ignore[union-attr]
        ):  # fmt: skip
            yield f"The answer {key} is not what the audit chain says."


def _persons(study: Study, entries: list[Entry]) -> Iterator[str]:
    """A schedule is answered by its reader; who was erased can't be asked for any more."""
    actors = {(entry.data.get("presentation"), entry.actor) for entry in entries if entry.verb != "guess"}
    shown = dict(study.schedules.values_list("sessions__presentations", "pk"))
    schedules = Schedule.objects.filter(study=study).select_related("reader__membership__user").in_bulk()
    strange = set()
    for presentation, actor in actors:
        row = schedules.get(shown.get(presentation, 0))  # type: ignore[arg-type]
        if row is None or (row.reader and not row.reader.membership):
            continue
        if row.reader is None or row.reader.membership.user.handle != actor:  # type: ignore[union-attr]
            strange.add(row.number)
    yield from (f"Schedule {number} was answered by another person than its reader." for number in sorted(strange))


def _scores(study: Study, entries: list[Entry]) -> Iterator[str]:
    """What stands beside a score: comment, times, the answer that set it, how often it was changed."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    given: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for criterion in entry.data["answers"]:
            last[entry.data["presentation"], criterion] = entry.data
            given[entry.data["presentation"], criterion] += 1
    for row in Score.objects.filter(criterion__study=study).select_related("criterion"):
        place = (row.presentation_id, row.criterion.key)
        told = last.get(place)
        wrong = _differing(row, told, given[place]) if told else []
        if wrong:
            what = ", ".join(wrong)
            yield f"The score of presentation {place[0]} on {place[1]} is not what the audit chain says ({what})."


def _differing(row: Score, told: dict[str, Any], given: int) -> list[str]:
    timing = told.get("timing", {})
    pairs: dict[str, tuple[Any, Any]] = {
        "comment": (row.comment, told["comment"]), "answer": (str(row.answer_id), told["key"]),
        "changes": (row.changes, given - 1), "viewport": (row.viewport, told.get("viewport", row.viewport)),
    }  # fmt: skip
    for name in TIMING if timing else ():
        value = timing[name]
        pairs[name] = (getattr(row, name), datetime.fromisoformat(value) if isinstance(value, str) else value)
    return [name for name, (live, wanted) in pairs.items() if live != wanted]


def _sessions(study: Study) -> Iterator[str]:
    entries = Entry.objects.filter(chain__name=study.chain, verb__startswith="session.").order_by("sequence")
    told = {(entry.verb, entry.subject): entry for entry in entries}
    waived = _waived(study, entries)
    for row in Session.objects.filter(schedule__study=study).select_related("schedule"):
        begun, final, signed = (
            told.get((f"session.{verb}", f"session:{row.pk}")) for verb in ("start", "final", "sign")
        )
        moments = [(row.started_at, begun), (row.scores_final_at, final), (row.signed_at, signed)]
        holds = all(together(moment, entry) for moment, entry in moments)
        holds &= begun is None or row.environment == begun.data.get("environment", {})
        place = (row.schedule.reader_id, row.number)
        holds &= row.waived_reason == waived.get(f"session:{row.pk}", waived.get(place, ""))
        if signed is not None:
            holds &= all(row.signature.get(name) == signed.data[name] for name in SIGNED if name in signed.data)
        if not holds:
            yield f"Session {row.pk} is not what the audit chain says."


def _waived(study: Study, entries: Iterable[Entry]) -> dict[Any, str]:
    """Why a session stays unsigned: by its subject, or by reader and number where its reader left."""
    found: dict[Any, str] = {}
    verbs = ["reader.withdraw", "reader.replace"]
    for entry in Entry.objects.filter(chain__name=study.chain, verb__in=verbs).order_by("sequence"):
        reader = int(entry.subject.removeprefix("reader:"))
        found |= {(reader, number): entry.data["reason"] for number in entry.data["sessions"]}
    return found | {entry.subject: entry.data["reason"] for entry in entries if entry.verb == "session.waive"}


def _origins(study: Study, entries: list[Entry]) -> Iterator[str]:
    """Marks lie on a pane of their own presentation; marks and guesses point to the event that made them."""
    marks = {entry.data["mark"]["id"]: entry.pk for entry in entries if entry.verb == "mark"}
    for mark in Annotation.objects.filter(presentation__session__schedule__study=study).select_related("pane"):
        if (mark.pane.presentation_id, mark.entry_id) != (mark.presentation_id, marks.get(str(mark.pk))):
            yield f"The mark {mark.pk} lies elsewhere or comes from another event than the audit chain says."
    guesses = {
        (guess["presentation"], guess["pane"]): entry.pk
        for entry in entries if entry.verb == "guess" for guess in entry.data["guesses"]
    }  # fmt: skip
    for row in MethodGuess.objects.filter(pane__presentation__session__schedule__study=study).select_related("pane"):
        if row.entry_id != guesses.get((row.pane.presentation_id, row.pane.index)):
            yield f"The method guess on presentation {row.pane.presentation_id} comes from another event."
