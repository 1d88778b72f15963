"""Pages about people: who is in a study, invitations and the page they lead to, withdrawal and replacement."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.forms import AccountForm
from readerstudy.accounts.invitations import AccountError, NewAccount
from readerstudy.accounts.limits import count_wrong, too_many
from readerstudy.accounts.models import User
from readerstudy.accounts.views import SignedInRequest
from readerstudy.conduct import actions, letters, queries
from readerstudy.conduct.forms import InviteForm, MemberForm, ReasonForm, ReplaceForm
from readerstudy.conduct.models import Invitation
from readerstudy.reading.records import asked
from readerstudy.studies.actions import StudyError
from readerstudy.studies.models import Membership, Reader, Study
from readerstudy.studies.queries import COORDINATOR, study_for
from readerstudy.studies.wording import word

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
GONE = {
    "title": "This invitation can't be used",
    "sentence": "It was used, has expired or never existed: ask the study's coordinator for a new one.",
}


@login_required
@require_GET
def people(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Everybody in the study, and the invitations that are still open."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    return _people(request, found)


def _people(request: HttpRequest, study: Study, **more: object) -> HttpResponse:
    context = {
        "study": study, "members": study.memberships.select_related("user", "reader").order_by("role", "pk"),
        "reserves": queries.reserves_left(study), "member_form": MemberForm(auto_id="add_%s"),
        "invite_form": InviteForm.of(readers=study.state == Study.State.DRAFT),
        "invitations": queries.open_invitations().filter(study=study).select_related("replaces"),
        "days": actions.people.LIFETIME.days, **more,
    }  # fmt: skip
    return render(request, "conduct/people.html", context)


def _site(request: HttpRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")


@login_required
@never_cache
@require_POST
def invite(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Make a link, mail it where there is an address, and show it this one time."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _people(request, found, invite_form=form)
    return _invited(request, found, form.cleaned_data["role"], form.cleaned_data["email"])


def _invited(
    request: SignedInRequest, study: Study, role: str, email: str, replaces: Reader | None = None, reason: str = ""
) -> HttpResponse:
    try:
        made = actions.invite(study, role, email, request.user, replaces=replaces, reason=reason)
    except StudyError as error:
        messages.error(request, str(error))
        return redirect("conduct:people", pk=study.pk)
    unreached = letters.send_invitation(made, _site(request))
    link = request.build_absolute_uri(reverse("invitation", args=[made.token]))
    return _people(request, study, link=link, made=made.invitation, unreached=unreached)


@login_required
@require_POST
def revoke(request: SignedInRequest, pk: UUID, invitation: int) -> HttpResponse:
    """Take an invitation back."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    row = get_object_or_404(Invitation, pk=invitation, study=found)
    try:
        actions.revoke_invitation(row, request.user)
        messages.success(request, "The link no longer works.")
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:people", pk=pk)


def _reader(request: SignedInRequest, pk: UUID, number: int) -> tuple[Study, Reader]:
    found, _ = study_for(request.user, pk, COORDINATOR)
    return found, get_object_or_404(Reader.objects.select_related("membership__user"), study=found, number=number)


@login_required
@require_GET
def reader(request: SignedInRequest, pk: UUID, number: int) -> HttpResponse:
    """One reader: progress, sessions, and the ways out of the study."""
    found, row = _reader(request, pk, number)
    return _reader_page(request, found, row, ReplaceForm())


def _reader_page(request: HttpRequest, study: Study, row: Reader, form: ReplaceForm) -> HttpResponse:
    if study.state == Study.State.DRAFT:
        raise Http404
    schedule = getattr(row, "schedule", None)
    context = {
        "study": study, "reader": row, "sessions": schedule.sessions.all() if schedule else [],
        "progress": [p for p in queries.progress(study) if p.number == row.number],
        "reserves": queries.reserves_left(study), "replace_form": form,
        "record": [(word(name), row.record.get(name, "")) for name in asked(study)],
        "may_leave": row.state == Reader.State.ACTIVE and study.state in (Study.State.OPEN, Study.State.CLOSED),
        "may_be_replaced": row.state != Reader.State.REPLACED and study.state == Study.State.OPEN,
    }  # fmt: skip
    return render(request, "conduct/reader.html", context)


@login_required
@require_POST
def withdraw(request: SignedInRequest, pk: UUID, number: int) -> HttpResponse:
    """The reader reads no more; what was scored stays."""
    found, row = _reader(request, pk, number)
    form = ReasonForm(request.POST)
    try:
        actions.withdraw_reader(found, row, request.user, form.cleaned_data["reason"] if form.is_valid() else "")
        messages.success(request, f"{row.pseudonym} has left the study; every score stays.")
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:reader", pk=pk, number=number)


@login_required
@never_cache
@require_POST
def replace(request: SignedInRequest, pk: UUID, number: int) -> HttpResponse:
    """Give a reserve schedule to a person who has an account, or invite one for it."""
    found, row = _reader(request, pk, number)
    form = ReplaceForm(request.POST)
    if not form.is_valid():
        return _reader_page(request, found, row, form)
    person, reason = form.cleaned_data["username"], form.cleaned_data["reason"]
    if person is None:
        return _invited(request, found, Membership.Role.READER, form.cleaned_data["email"], row, reason)
    try:
        new = actions.replace_reader(found, row, request.user, person, reason)
        messages.success(request, f"{new.pseudonym} reads in place of {row.pseudonym}.")
        if unreached := letters.send_commitment(found, found.readers.filter(pk=new.pk)):
            messages.warning(request, letters.show_commitment_to(unreached))
        return redirect("conduct:reader", pk=pk, number=new.number)
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:reader", pk=pk, number=number)


@sensitive_post_parameters("password", "again")
@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Where an invitation leads: join with the account one has, or make one."""
    known = None if too_many(request) else queries.usable_invitation(token)
    if known is None:
        return _gone(request)
    signed_in = request.user if isinstance(request.user, User) else None
    form = AccountForm(request.POST if request.method == "POST" and not signed_in else None, address=known.email)
    error = ""
    if request.method == "POST" and (signed_in or form.is_valid()):
        try:
            return _join(request, token, signed_in or form.account())
        except actions.InvitationGone:
            return _gone(request)
        except (StudyError, AccountError) as refused:
            error = str(refused)
    context = {"invitation": known, "study": known.study, "form": form, "error": error}
    return render(request, "account/invitation.html", context)


def _gone(request: HttpRequest) -> HttpResponse:
    """The same page for every link that can't be used, whatever the reason."""
    count_wrong(request)
    return render(request, "error.html", GONE, status=404)


def _join(request: HttpRequest, token: str, person: User | NewAccount) -> HttpResponse:
    with transaction.atomic():
        study, user = actions.accept_invitation(token, person)
    letters.send_commitment(study, study.readers.filter(membership__user=user))
    if isinstance(person, NewAccount):
        login(request, user, backend=BACKEND)
    messages.success(request, f"You are in the study “{study.title}”.")
    return redirect("home")
