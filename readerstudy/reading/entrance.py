"""The pages before a session: consent, the reader's record, display check."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.reading import actions, display_check
from readerstudy.reading.forms import ConsentForm, DisplayCheckForm, RecordForm
from readerstudy.reading.models import DisplayCheck
from readerstudy.reading.preparation import consent_text, missing_step, next_page, step_page
from readerstudy.reading.queries import schedule_for, session_for
from readerstudy.reading.records import asked, editable
from readerstudy.schedules.models import Session
from readerstudy.studies.models import Study


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def consent(request: SignedInRequest, token: str) -> HttpResponse:
    """What taking part means, to be agreed to once and to be read again at any time."""
    schedule = schedule_for(request.user, token)
    text, reader = consent_text(schedule.study), schedule.reader
    if not text or reader is None:
        return redirect(next_page(schedule))
    if reader.consented_at is None and schedule.study.state != Study.State.OPEN:
        return refused(request, _("The study takes no consent now: ask the coordinator."))
    form = ConsentForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.give_consent(request.user, schedule)
        except actions.Closed as error:
            return refused(request, str(error))
        return redirect(next_page(schedule_for(request.user, token)))
    context = {"title": schedule.study.title, "text": text, "reader": reader, "form": form}
    return render(request, "reading/consent.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def record(request: SignedInRequest, token: str) -> HttpResponse:
    """What the study asks about its readers; it may be changed until the first session begins, then be read."""
    schedule = schedule_for(request.user, token)
    study, reader = schedule.study, schedule.reader
    names = asked(study)
    if not names or reader is None:
        return redirect(next_page(schedule))
    if consent_text(study) and reader.consented_at is None:
        return redirect("reading:consent", token)
    may_change = editable(schedule)
    form = RecordForm(names, request.POST if request.method == "POST" else None, initial=reader.record)
    if request.method == "POST" and (form.is_valid() or not may_change):
        try:
            actions.give_record(request.user, schedule, form.cleaned_data)
        except actions.ReadingError as error:
            return refused(request, str(error))
        return redirect(next_page(schedule_for(request.user, token)))
    context = {"title": study.title, "reader": reader, "form": form, "may_change": may_change}
    return render(request, "reading/record.html", context, status=400 if form.errors else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def check(request: SignedInRequest, token: str) -> HttpResponse:
    """The display check of one session; what is asked for no more leads on to the room."""
    session = session_for(request.user, token)
    if session.started_at is not None or not missing_step(session):
        return redirect("reading:room", token)
    sent = request.POST if request.method == "POST" else None
    form, sentence = DisplayCheckForm(sent, initial=session.environment), ""
    try:
        if request.method == "POST" and "go_on" in request.POST:
            actions.accept_display(request.user, session)
            return redirect("reading:room", token)
        if request.method == "POST" and form.is_valid():
            done = actions.report_display_check(
                request.user, session, form.cleaned_data["check"], form.reported, form.surroundings
            )
            return redirect("reading:room" if done.passed else "reading:check", token)
        drawn = actions.draw_display_check(request.user, session)
    except actions.NotPrepared as error:
        return redirect(step_page(session, error.step))
    except actions.Closed as error:
        return refused(request, str(error))
    except actions.ReadingError as error:
        drawn = actions.draw_display_check(request.user, session)
        form, sentence = DisplayCheckForm(initial=session.environment), str(error)
    return render(request, "reading/check.html", _check_page(session, drawn, form) | {"sentence": sentence})


def _check_page(session: Session, drawn: DisplayCheck, form: DisplayCheckForm) -> dict[str, Any]:
    """The patches of the check that waits, and what the last one said."""
    tries = session.environment.get("tries", 0)
    last = session.display_checks.exclude(passed=None).last()
    missed = display_check.missed(last.targets, last.reported) if last and last.reported is not None else []
    required = session.schedule.study.protocol["display"].get("check") == "required"
    return {
        "session": session, "drawn": drawn, "form": form, "tries": tries, "missed": [step + 1 for step in missed],
        "steps": list(enumerate(form.steps)), "side": display_check.SIDE, "required": required,
        "reader": session.schedule.reader, "may_go_on": tries >= display_check.TRIES and not required,
    }  # fmt: skip


@login_required
@require_GET
def check_step(request: SignedInRequest, token: str, step: int) -> HttpResponse:
    """One grey patch of the check that waits for its report."""
    session = session_for(request.user, token)
    drawn = session.display_checks.filter(passed=None).last()
    if drawn is None or step >= len(display_check.STEPS):
        raise Http404
    response = HttpResponse(display_check.patch(step, drawn.targets[step]), content_type="image/png")
    response["Cache-Control"] = "private, no-store"
    return response


def refused(request: HttpRequest, sentence: str) -> HttpResponse:
    return render(request, "error.html", {"title": _("Not now"), "sentence": sentence}, status=423)
