"""The reader's pages."""

from __future__ import annotations

from typing import Any

from allauth.mfa.webauthn.internal.auth import begin_authentication
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.reading import actions, rooms
from readerstudy.reading.entrance import refused
from readerstudy.reading.forms import MEANING, SignatureForm
from readerstudy.reading.guessing import guess_is_open, has_guessed
from readerstudy.reading.preparation import step_page
from readerstudy.reading.queries import SCORED, schedule_for, session_for, uncompared, unscored
from readerstudy.reading.queries import worklist as worklist_cards
from readerstudy.studies.models import Study
from readerstudy.studies.queries import protocol_of


@login_required
@require_GET
def worklist(request: SignedInRequest) -> HttpResponse:
    return render(request, "reading/worklist.html", {"studies": worklist_cards(request.user)})


@login_required
@never_cache
@require_GET
def room(request: SignedInRequest, token: str) -> HttpResponse:
    """The reading room of one session; opening it starts or resumes the session."""
    session = session_for(request.user, token)
    try:
        session = actions.start_session(request.user, session)
    except actions.NotPrepared as error:
        return redirect(step_page(session, error.step))
    except actions.Closed as error:
        return refused(request, str(error))
    urls = {
        "answer": reverse("reading:answers"), "finish": reverse("reading:finish", args=[token]),
        "compare": reverse("reading:compare", args=[token]),
    }  # fmt: skip
    return _room(request, rooms.room(session, protocol_of(session.schedule.study)), urls)


@login_required
@never_cache
@require_GET
def practice(request: SignedInRequest, token: str) -> HttpResponse:
    """The training phase: open while the study is, as often as the reader likes."""
    schedule = schedule_for(request.user, token)
    if schedule.study.state != Study.State.OPEN:
        return refused(request, _("The study is not open: there is nothing to practise now."))
    urls = {"answer": reverse("reading:practice_answers"), "finish": reverse("reading:worklist")}
    return _room(request, rooms.practice_room(schedule, protocol_of(schedule.study)), urls)


@login_required
@require_POST
def compare(request: SignedInRequest, token: str) -> HttpResponse:
    """Make the session's scores final and go on to its fidelity pass."""
    session = session_for(request.user, token)
    try:
        actions.begin_fidelity(request.user, session)
    except actions.ReadingError as error:
        return refused(request, str(error))
    return redirect("reading:room", token)


def _room(request: SignedInRequest, data: dict[str, Any], urls: dict[str, str]) -> HttpResponse:
    shared = {
        "csrf": reverse("reading:csrf"), "worklist": reverse("reading:worklist"), "login": reverse("account_login"),
    }  # fmt: skip
    return render(request, "reading/room.html", {"room": {**data, "urls": shared | urls}})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def finish(request: SignedInRequest, token: str) -> HttpResponse:
    """Sign a session whose images are all scored; signed, by this press or another, it says so."""
    session = session_for(request.user, token)
    form = SignatureForm(request, request.POST or None, initial={"printed_name": request.user.get_full_name()})
    if request.method == "POST" and session.signed_at is None and form.is_valid():
        try:
            actions.sign_session(request.user, session, printed_name=form.cleaned_data["printed_name"], meaning=MEANING)
        except actions.ReadingError as error:
            form.add_error(None, str(error))
    session.refresh_from_db(fields=["signed_at"])
    schedule = session.schedule
    if session.signed_at is not None:
        done = {
            "session": session,
            "reader": schedule.reader,
            "last": not schedule.sessions.filter(signed_at=None).exists(),
            "guessable": guess_is_open(schedule) and not has_guessed(schedule),
        }
        return render(request, "reading/done.html", done)
    context = {
        "session": session,
        "form": form,
        "reader": schedule.reader,
        "unscored": unscored(session),
        "uncompared": uncompared(session),
        "count": session.presentations.filter(kind__in=SCORED).count(),
        "passkey": dict(begin_authentication(request.user)) if form.has_passkey else None,
    }
    return render(request, "reading/finish.html", context)
