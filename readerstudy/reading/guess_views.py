"""The page after the last session: which method made these images? The only reader page that names methods."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.reading import actions
from readerstudy.reading.entrance import refused
from readerstudy.reading.forms import GuessForm
from readerstudy.reading.guessing import GuessItem, guess_is_open, guess_items, has_guessed
from readerstudy.reading.queries import schedule_for


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def guess(request: SignedInRequest, token: str) -> HttpResponse:
    """The reader's own images, each with a choice of the methods; a 404 before the last signature."""
    schedule = schedule_for(request.user, token)
    if not guess_is_open(schedule):
        raise Http404
    if request.method == "GET" and has_guessed(schedule):
        return render(request, "reading/guessed.html", {"schedule": schedule, "reader": schedule.reader})
    if schedule.study.paused:
        return refused(request, _("The study is paused: give your guesses when it goes on."))
    items = guess_items(schedule)
    arms = dict(schedule.study.arms.order_by("position").values_list("key", "title"))
    form = GuessForm(items, arms, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.record_guesses(request.user, schedule, form.guesses)
            return redirect("reading:guess", token)
        except actions.Closed as error:
            return refused(request, str(error))
        except actions.ReadingError as error:
            form.add_error(None, str(error))
    data = {
        "items": [_item(item) for item in items],
        "interpolation": schedule.study.protocol["display"]["interpolation"],
    }
    context = {"schedule": schedule, "reader": schedule.reader, "form": form, "data": data}
    return render(request, "reading/guess.html", context)


def _item(item: GuessItem) -> dict[str, Any]:
    """What the page's script needs to show one image, in the words of the viewer."""
    return {
        "key": reverse("reading:frame", args=[item.presentation, item.pane, 0]), "rows": item.rows,
        "columns": item.columns, "spacing": item.spacing, "slope": item.slope, "intercept": item.intercept,
        "inverted": item.inverted, "window": {"center": item.center, "width": item.width},
    }  # fmt: skip
