"""The reader's pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.reading import actions
from readerstudy.reading.forms import MEANING, SignatureForm
from readerstudy.reading.queries import room as room_data
from readerstudy.reading.queries import session_for, unscored
from readerstudy.reading.queries import worklist as worklist_cards
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
    except actions.Closed as error:
        return _refused(request, str(error))
    urls = {
        "answer": reverse("reading:answers"), "csrf": reverse("reading:csrf"),
        "finish": reverse("reading:finish", args=[token]), "worklist": reverse("reading:worklist"),
        "login": reverse("account_login"),
    }  # fmt: skip
    data = {**room_data(session, protocol_of(session.schedule.study)), "urls": urls}
    return render(request, "reading/room.html", {"room": data})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def finish(request: SignedInRequest, token: str) -> HttpResponse:
    """Sign a session whose images are all scored."""
    session = session_for(request.user, token)
    if session.signed_at is not None:
        return render(request, "reading/done.html", {"session": session})
    form = SignatureForm(request.user, request.POST or None, initial={"printed_name": request.user.get_full_name()})
    if request.method == "POST" and form.is_valid():
        try:
            signed = actions.sign_session(
                request.user, session, printed_name=form.cleaned_data["printed_name"], meaning=MEANING
            )
            return render(request, "reading/done.html", {"session": signed})
        except actions.ReadingError as error:
            form.add_error(None, str(error))
    context = {
        "session": session,
        "form": form,
        "missing": unscored(session),
        "count": session.presentations.count(),
    }
    return render(request, "reading/finish.html", context)


def _refused(request: HttpRequest, sentence: str) -> HttpResponse:
    return render(request, "error.html", {"title": "Not now", "sentence": sentence}, status=423)
