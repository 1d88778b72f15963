"""The page that makes a deposit package; what was filled in last is remembered for the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from readerstudy.analytics.actions import deposit_snapshot
from readerstudy.analytics.deposit_forms import MOST_CREATORS, CreatorForm, CreatorSet, DepositForm, creators_of
from readerstudy.analytics.downloads import download, stem
from readerstudy.analytics.queries import source_terms, unblinded_study
from readerstudy.studies.models import Study

PREFIX = "creators"
ADD = "add_creator"


@login_required
@require_http_methods(["GET", "POST"])
def deposit(request: HttpRequest, study: UUID) -> HttpResponse:
    """The form; posted and complete, it answers with the package."""
    found, snapshot = unblinded_study(request.user, study)
    if request.method == "GET":
        kept = request.session.get(_key(found), {})
        form, creators = DepositForm(initial=_first(found) | kept.get("fields", {})), _rows(kept.get("creators", []))
        return _page(request, found, form, creators)
    if ADD in request.POST:
        filled = _filled(request.POST)
        more = _rows([*filled["creators"], {}], focus=True)
        return _page(request, found, DepositForm(initial=filled["fields"]), more)
    form, creators = DepositForm(request.POST), CreatorSet(request.POST, prefix=PREFIX)
    # Both are asked, so that every error is shown at once.
    if not all([form.is_valid(), creators.is_valid()]):
        return _page(request, found, form, creators, status=400)
    request.session[_key(found)] = _filled(request.POST)
    content = deposit_snapshot(snapshot, form.deposit(creators_of(creators)), request.user)  # type: ignore[arg-type]
    return download(content, "application/zip", f"{stem(found)}-deposit.zip")


def _page(request: HttpRequest, study: Study, form: DepositForm, creators: Any, status: int = 200) -> HttpResponse:
    context = {"study": study, "form": form, "creators": creators, "sources": source_terms(study), "add": ADD}
    response = render(request, "analytics/deposit.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def _key(study: Study) -> str:
    return f"deposit:{study.pk}"


def _first(study: Study) -> dict[str, Any]:
    """What the study itself knows."""
    registration = str(study.protocol.get("study", {}).get("registration", ""))
    known = registration if registration.startswith(("http://", "https://", "10.")) else ""
    return {"title": study.title, "year": timezone.now().year, "licence": "CC-BY-4.0", "registration": known}


def _filled(data: Mapping[str, str]) -> dict[str, Any]:
    """What stands in the fields, as written."""
    number = data.get(f"{PREFIX}-TOTAL_FORMS", "")
    rows = range(min(int(number), MOST_CREATORS)) if number.isascii() and number.isdecimal() else range(0)
    people = [{name: data.get(f"{PREFIX}-{row}-{name}", "") for name in CreatorForm.base_fields} for row in rows]
    fields = {name: data.get(name, "") for name in DepositForm.base_fields}
    return {"fields": fields, "creators": [person for person in people if any(person.values())]}


def _rows(people: list[dict[str, str]], *, focus: bool = False) -> Any:
    """The people as rows of the form, one at least; ``focus`` puts the cursor into the last."""
    made = CreatorSet(prefix=PREFIX, initial=(people or [{}])[:MOST_CREATORS])
    if focus:
        made.forms[-1].fields["family"].widget.attrs["autofocus"] = True
    return made
