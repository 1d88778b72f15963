"""The page of a case's facts: what it corrects, what it says beside a field, and its preview."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from readerstudy.accounts.models import User
from readerstudy.cases.actions import freeze
from readerstudy.cases.facts import windows
from readerstudy.cases.models import Case, Look, Source
from readerstudy.reconstructions.models import Measurement
from tests.cases.factories import body, case, layered
from tests.cases.test_facts import WHY, audited


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


def form(found: Case, **changes: Any) -> dict[str, Any]:
    names = ("modality", "anatomy", "plane", "row_spacing", "column_spacing", "slice_spacing")
    same = {"window": "same", "window_center": found.window_center, "window_width": found.window_width, "reason": WHY}
    sent = {**{name: getattr(found, name) for name in names}, **same, **changes}
    return {name: "" if value is None else value for name, value in sent.items()}


def test_the_page_corrects_what_was_changed_in_it(desk: Client, one: Case) -> None:
    page = f"/cases/{one.pk}/edit/"
    assert f'href="{page}"' in desk.get(f"/cases/{one.pk}/").content.decode()
    answer = desk.post(page, form(one, anatomy="Abdomen", window_center="50", window_width="350"), follow=True)
    assert "The facts of CT-0001 are corrected." in answer.content.decode()
    assert set(audited()["changed"]) == {"anatomy", "window_center", "window_width", "slice_windows"}
    one.refresh_from_db()
    assert desk.post(page, form(one, window="automatic_window")).status_code == 302
    assert windows(one) == [[50.0, 400.0]] and audited()["changed"]["window_width"] == [350.0, 400.0]


def test_the_page_says_what_is_wrong_beside_the_field(desk: Client, one: Case) -> None:
    page = f"/cases/{one.pk}/edit/"
    for changes, sentence in (
        ({"window_width": "-4"}, "Give a width above 0."),
        ({"window_width": "wide"}, "Enter a number."),
        ({"row_spacing": ""}, "or neither"),
        ({"modality": "PET"}, "Select a valid choice"),
        ({"reason": ""}, "This field is required."),
        ({}, "change at least one"),
    ):
        answer = desk.post(page, form(one, **changes))
        assert answer.status_code == 400 and sentence in answer.content.decode(), sentence


def test_an_mr_case_starts_with_its_own_windows(desk: Client, source: Source) -> None:
    found = layered(source)
    own, page = windows(found), f"/cases/{found.pk}/edit/"
    assert re.search(r'value="automatic_window"[^>]* checked', desk.get(page).content.decode())
    desk.post(page, form(found, window="automatic_window", plane="oblique"))
    assert windows(found) == own
    desk.post(page, form(found, plane="oblique"))
    assert windows(found) == [[found.window_center, found.window_width]]


def test_a_measured_case_shows_what_stays(desk: Client, one: Case) -> None:
    Measurement.objects.create(case=one, level=None, seed=1, physics="p")
    page = f"/cases/{one.pk}/edit/"
    assert desk.get(page).content.decode().count(" disabled") == 4
    assert desk.post(page, form(one, row_spacing="3", plane="coronal")).status_code == 302
    one.refresh_from_db()
    assert (one.row_spacing, one.plane) == (0.8, "coronal")


def test_a_used_case_leads_back_with_a_sentence(desk: Client, one: Case) -> None:
    freeze(one)
    for answer in (
        desk.get(f"/cases/{one.pk}/edit/", follow=True),
        desk.post(f"/cases/{one.pk}/edit/", form(one, plane="coronal"), follow=True),
    ):
        html = answer.content.decode()
        assert answer.redirect_chain == [(f"/cases/{one.pk}/", 302)] and "nothing of it changes any more" in html
        assert "In use by a study since" in html and "/edit/" not in html
    one.refresh_from_db()
    assert one.plane == "axial"


def picture(desk: Client, found: Case, query: str) -> Image.Image:
    answer = desk.get(f"/cases/{found.pk}/slices/0/preview.png?{query}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store")
    return Image.open(io.BytesIO(answer.content))


def test_the_preview_follows_window_and_spacing_and_is_a_look(desk: Client, one: Case, coordinator: User) -> None:
    assert "preview.png" not in desk.get(f"/cases/{one.pk}/edit/").content.decode()
    plain = np.asarray(picture(desk, one, ""))
    assert Look.objects.get(case=one).user == coordinator
    assert desk.get(f"/cases/{one.pk}/edit/").content.decode().count("preview.png") == 2
    wide = np.asarray(picture(desk, one, "center=0&width=100000"))
    assert np.ptp(wide.astype(int)) < np.ptp(plain.astype(int))
    assert picture(desk, one, "row=2&column=1").size == (64, 128)
    for strange in ("center=x&width=nan", "center=1&width=-3", "row=0&column=1e9", "row=inf&column=2"):
        assert np.array_equal(np.asarray(picture(desk, one, strange)), plain)
    head = picture(desk, one, "anatomy=head")
    assert np.array_equal(np.asarray(head), np.asarray(picture(desk, one, "center=40&width=80")))


def test_the_automatic_preview_of_mr_is_the_slices_own(desk: Client, source: Source) -> None:
    found = layered(source)
    own = np.asarray(picture(desk, found, ""))
    assert np.array_equal(np.asarray(picture(desk, found, "anatomy=")), own)
    assert not np.array_equal(np.asarray(picture(desk, found, "center=10&width=10")), own)
    dark = case(source, "MR", pixels=np.stack([body("MR", 1, 3)[0] * 0, body("MR", 1, 3)[0]]), seed=3)
    assert np.ptp(np.asarray(picture(desk, dark, "anatomy=")).astype(int)) == 0


def test_strangers_get_nothing(client: Client, stranger: User, one: Case) -> None:
    client.force_login(stranger)
    assert client.get(f"/cases/{one.pk}/edit/").status_code == 404
    assert client.post(f"/cases/{one.pk}/edit/", form(one, plane="coronal")).status_code == 404
    assert client.get(f"/cases/{one.pk}/slices/0/preview.png").status_code == 404
    assert not Look.objects.exists()
