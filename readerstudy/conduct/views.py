"""The coordinator's page of one study: what it is, how far it is, and every transition."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.models import User
from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases.actions import CaseError
from readerstudy.conduct import actions, letters, queries
from readerstudy.conduct.forms import MemberForm, ReasonForm
from readerstudy.schedules.models import Session
from readerstudy.schedules.queries import balance
from readerstudy.studies.actions import StudyError, add_member, change_protocol
from readerstudy.studies.desk import protocol_page
from readerstudy.studies.document import document
from readerstudy.studies.models import Membership, Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import COORDINATOR, protocol_of, study_for

TRANSITIONS: dict[str, Callable[[Study, User], Study]] = {
    "open": actions.open_study,
    "close": actions.close_study,
    "lock": actions.lock_study,
    "unblind": actions.unblind_study,
}


@login_required
@require_GET
def study(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Overview of one study; an analyst is sent to the results."""
    found, membership = study_for(request.user, pk, {Membership.Role.COORDINATOR, Membership.Role.ANALYST})
    if membership.role == Membership.Role.ANALYST:
        return redirect("analytics:results", study=pk)
    marks, sittings, criteria = queries.marks(found), queries.sittings(found), list(found.criteria.all())
    commitment, amendments = queries.commitment_of(found)
    context = {
        "study": found, "protocol": protocol_of(found), "arms": found.arms.all(), "criteria": criteria,
        "members": found.memberships.select_related("user", "reader").order_by("role", "pk"),
        "commitment": commitment, "head": marks.head, "member_form": MemberForm(), "events": marks.events,
        "progress": queries.progress(found, sittings, criteria, marks.flags), "states": _states(found),
        "unsigned": _unsigned(found, sittings), "pause_reason": marks.pause_reason,
        "amendments": amendments, "opening_hash": marks.opening_hash,
        "flags": marks.flags, "plan": found.plan,
    }  # fmt: skip
    return render(request, "conduct/study.html", context)


def _states(found: Study) -> list[tuple[str, str]]:
    """The five states with how the study stands to each: done, current or to come."""
    values = Study.State.values
    here = values.index(found.state)
    return [
        (label, "done" if i < here else "current" if i == here else "") for i, label in enumerate(Study.State.labels)
    ]


def _unsigned(found: Study, sittings: list[queries.Sitting]) -> list[Session]:
    if found.state != Study.State.CLOSED:
        return []
    rows = (sitting.session for sitting in sittings)
    return [session for session in rows if session.signed_at is None and not session.waived_reason]


@login_required
@require_GET
def monitor(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The fragment that follows the readers."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    return render(request, "conduct/_progress.html", {"progress": queries.progress(found), "study": found})


@login_required
@require_POST
def transition(request: SignedInRequest, pk: UUID, verb: str) -> HttpResponse:
    """Open, close, lock or unblind."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    if verb not in TRANSITIONS:
        raise Http404
    if verb == "unblind":
        response: HttpResponse = _after_signing_in_again(request, found, verb)
        return response
    return _made(request, found, verb)


@reauthentication_required  # type: ignore[untyped-decorator, unused-ignore]
def _after_signing_in_again(request: SignedInRequest, found: Study, verb: str) -> HttpResponse:
    """What can't be undone asks for the password or passkey again, unless it has just been given."""
    return _made(request, found, verb)


def _made(request: SignedInRequest, found: Study, verb: str) -> HttpResponse:
    try:
        done = TRANSITIONS[verb](found, request.user)
        messages.success(request, f"The study is {done.get_state_display()}.")
        if verb == "open" and (unreached := letters.send_commitment(done, done.readers.all())):
            messages.warning(request, letters.show_commitment_to(unreached))
    except (StudyError, CaseError) as error:
        messages.error(request, str(error))
    return redirect("conduct:study", pk=found.pk)


@login_required
@require_POST
def pause(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Pause or resume an open study."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    try:
        actions.set_paused(found, request.user, paused=not found.paused, reason=request.POST.get("reason", "")[:400])
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:study", pk=pk)


@login_required
@require_POST
def waive(request: SignedInRequest, pk: UUID, session: int) -> HttpResponse:
    """Record why a session stays unsigned."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    row = Session.objects.select_related("schedule__study").filter(pk=session, schedule__study=found).first()
    if row is None:
        raise Http404
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            raise StudyError("Write why this session stays unsigned, in up to 400 characters.")
        actions.waive_session(row, request.user, form.cleaned_data["reason"])
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:study", pk=pk)


@login_required
@require_POST
def members(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Give a person a role in the study."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    form = MemberForm(request.POST)
    try:
        if not form.is_valid():
            raise StudyError(next(iter(form.errors.values()))[0])
        add_member(found, form.cleaned_data["username"], form.cleaned_data["role"], request.user)
        messages.success(request, "The person is in the study.")
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:study", pk=pk)


@login_required
@require_http_methods(["GET", "POST"])
def protocol(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The protocol: a draft's as a form and a file, a frozen one as a document."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    if found.state != Study.State.DRAFT:
        if request.method == "POST":
            messages.error(request, "The protocol is frozen since the study was opened: make an amendment.")
            return redirect("conduct:protocol", pk=pk)
        return render(request, "conduct/protocol.html", {"study": found, "parts": document(protocol_of(found))})

    def save(written: Protocol) -> HttpResponse:
        change_protocol(found, written, request.user)
        messages.success(request, "The draft is saved.")
        return redirect("conduct:study", pk=pk)

    return protocol_page(request, lambda: protocol_of(found), save, "conduct/protocol.html", {"study": found})


@login_required
@require_GET
def order_balance(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Every rule of a balanced order with its measured value; names no arm."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    if found.state == Study.State.DRAFT:
        raise Http404
    return render(request, "conduct/balance.html", {"study": found, "rules": balance(found, protocol_of(found)).rules})
