"""The facts of a case: corrected until a study uses it, never behind the back of images that were made with them."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from PIL import Image

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases.actions import CaseError, freeze, import_phantom, withdraw
from readerstudy.cases.facts import change_case, windows
from readerstudy.cases.models import Case, Look, Source
from readerstudy.reconstructions.models import Measurement
from tests.cases.factories import body, case

WHY = "the header was wrong"


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


@pytest.fixture
def one(source: Source) -> Case:
    return case(source, "CT")


def layered(source: Source) -> Case:
    """An MR case whose slices differ in brightness, so that each has a window of its own."""
    pixels = body("MR", 4) * np.arange(1, 5, dtype=np.uint16)[:, None, None]
    return case(source, "MR", pixels=pixels)


def audited() -> dict[str, Any]:
    return dict(Entry.objects.filter(verb="case.change").latest("sequence").data)


def test_texts_and_spacing_are_corrected_and_audited(coordinator: User, one: Case) -> None:
    changes = {"anatomy": " Abdomen ", "plane": "coronal", "row_spacing": 0.7, "slice_spacing": None}
    row = change_case(one, coordinator, changes, f" {WHY} ")
    assert (row.anatomy, row.plane, row.pixel_spacing, row.slice_spacing) == ("abdomen", "coronal", (0.7, 0.8), None)
    assert audited() == {
        "case": "CT-0001", "reason": WHY,
        "changed": {
            "anatomy": ["chest", "abdomen"], "plane": ["axial", "coronal"], "row_spacing": [0.8, 0.7],
            "slice_spacing": [5.0, None],
        },
    }  # fmt: skip
    assert windows(row) == [[-600.0, 1500.0]]


def test_the_window_of_a_ct_holds_for_every_slice(coordinator: User, one: Case) -> None:
    change_case(one, coordinator, {"window_center": 50, "window_width": 350}, WHY)
    assert set(one.slices.values_list("window_center", "window_width")) == {(50.0, 350.0)}
    assert audited()["changed"] == {
        "window_center": [-600.0, 50.0], "window_width": [1500.0, 350.0],
        "slice_windows": [[[-600.0, 1500.0]], [[50.0, 350.0]]],
    }  # fmt: skip
    row = change_case(one, coordinator, {"automatic_window": True, "anatomy": "head"}, WHY)
    assert windows(row) == [[40.0, 80.0]] and (row.window_center, row.window_width) == (40.0, 80.0)


def test_mr_slices_keep_their_own_windows_until_one_is_given(coordinator: User, source: Source) -> None:
    found = layered(source)
    own = windows(found)
    assert len(own) == 4 and len({tuple(pair) for pair in own}) == 4
    assert windows(change_case(found, coordinator, {"plane": "sagittal"}, WHY)) == own
    whole = (found.window_center, found.window_width)
    # The very numbers of the case, but now for every slice.
    row = change_case(found, coordinator, {"window_center": whole[0], "window_width": whole[1]}, WHY)
    assert windows(row) == [list(whole)]
    assert audited()["changed"] == {"slice_windows": [own, [list(whole)]]}
    back = change_case(found, coordinator, {"automatic_window": True}, WHY)
    assert windows(back) == own and (back.window_center, back.window_width) == whole


def test_another_modality_describes_the_pixels_anew(coordinator: User, source: Source) -> None:
    found = case(source, "US", plane="")
    assert not found.slices.filter(edge=True).exists()
    row = change_case(found, coordinator, {"modality": "MR"}, WHY)
    twin = case(source, "MR", pixels=body("US", 4), series_key="twin", seed=0)
    assert row.pk == twin.pk  # the same pixels again are the same case, under whichever modality
    assert row.data_range == float(body("US", 4).max()) and row.pseudonym == "US-0001"
    assert list(row.slices.values_list("edge", flat=True)) == [True, False, False, True]
    assert row.window_width < 255 and audited()["changed"]["data_range"] == [255.0, row.data_range]
    back = change_case(row, coordinator, {"modality": "US"}, WHY)
    assert (back.data_range, windows(back)) == (255.0, [[127.5, 255.0]])


@pytest.mark.parametrize(
    ("modality", "wanted", "sentence"),
    [
        ("MR", "CT", "no Hounsfield units"),
        ("CT", "MR", "magnitudes at 0"),
        ("MR", "US", "grey levels from 0 to 255"),
        ("CT", "US", "grey levels from 0 to 255"),
    ],
)
def test_values_that_no_such_modality_has_are_refused(
    coordinator: User, source: Source, modality: str, wanted: str, sentence: str
) -> None:
    found = case(source, modality)
    with pytest.raises(CaseError, match=sentence) as refused:
        change_case(found, coordinator, {"modality": wanted}, WHY)
    assert refused.value.field == "modality" and "Import its files again" in str(refused.value)
    assert Case.objects.get().modality == modality


@pytest.mark.parametrize(
    ("changes", "sentence", "field"),
    [
        ({"modality": "PET"}, "Choose one of CT, MR, US", "modality"),
        ({"anatomy": "x" * 41}, "40 characters at most", "anatomy"),
        ({"plane": "x" * 21}, "20 characters at most", "plane"),
        ({"row_spacing": 0}, "above 0 and up to 20 mm", "row_spacing"),
        ({"column_spacing": 20.1}, "above 0 and up to 20 mm", "column_spacing"),
        ({"slice_spacing": -1}, "above 0 and up to 20 mm", "slice_spacing"),
        ({"slice_spacing": "wide"}, "Give a number", "slice_spacing"),
        ({"slice_spacing": float("nan")}, "Give a number between", "slice_spacing"),
        ({"row_spacing": None}, "or neither", "row_spacing"),
        ({"row_spacing": 0.05}, "differ at most 10 times", "row_spacing"),
        ({"window_center": 40, "window_width": 0}, "width above 0", "window_width"),
        ({"window_center": 40}, "Give a number", "window_width"),
        ({"window_center": float("inf"), "window_width": 5}, "Give a number between", "window_center"),
        ({"window_center": 1, "window_width": 1, "automatic_window": True}, "not both", "window_center"),
        ({"rows": 3}, "has no fact rows", ""),
        ({}, "change at least one", ""),
        ({"anatomy": "chest", "row_spacing": 0.8}, "change at least one", ""),
    ],
)
def test_what_is_wrong_is_refused(
    coordinator: User, one: Case, changes: dict[str, Any], sentence: str, field: str
) -> None:
    with pytest.raises(CaseError, match=sentence) as refused:
        change_case(one, coordinator, changes, WHY)
    assert refused.value.field == field
    assert not Entry.objects.filter(verb="case.change").exists()


def test_a_reason_and_a_coordinator_are_needed(coordinator: User, stranger: User, one: Case) -> None:
    with pytest.raises(CaseError, match="Say why") as refused:
        change_case(one, coordinator, {"plane": "coronal"}, "  ")
    assert refused.value.field == "reason"
    with pytest.raises(PermissionDenied):
        change_case(one, stranger, {"plane": "coronal"}, WHY)


def test_nothing_changes_once_a_study_uses_the_case(coordinator: User, one: Case) -> None:
    stale = Case.objects.get(pk=one.pk)
    freeze(one)
    with pytest.raises(CaseError, match="in use by a study since"):
        change_case(stale, coordinator, {"plane": "coronal"}, WHY)
    withdraw(one, coordinator, "consent withdrawn")
    with pytest.raises(CaseError, match="is withdrawn: nothing of it"):
        change_case(stale, coordinator, {"plane": "coronal"}, WHY)


@pytest.mark.parametrize("changes", [{"modality": "MR"}, {"row_spacing": 0.7}, {"slice_spacing": 3.0}])
def test_what_images_were_made_with_stays(coordinator: User, one: Case, changes: dict[str, Any]) -> None:
    Measurement.objects.create(case=one, level=0.25, seed=1, physics="p")
    with pytest.raises(CaseError, match="so they stay: if they are wrong, withdraw the case") as refused:
        change_case(one, coordinator, {**changes, "plane": "coronal"}, WHY)
    assert refused.value.field == next(iter(changes))
    row = change_case(
        one, coordinator, {"plane": "coronal", "row_spacing": 0.8, "window_center": 0, "window_width": 9}, WHY
    )
    assert (row.plane, windows(row)) == ("coronal", [[0.0, 9.0]])


def test_a_phantom_stays_what_it_was_drawn_as(coordinator: User, source: Source) -> None:
    drawn = import_phantom("MR", 1, source=source, by=coordinator, size=64, n_slices=1)
    with pytest.raises(CaseError, match="draw another phantom"):
        change_case(drawn, coordinator, {"modality": "US"}, WHY)


def test_missing_pixels_are_a_sentence(coordinator: User, source: Source) -> None:
    found = layered(source)
    found.slices.filter(index=0).update(pixels="0" * 64)
    with pytest.raises(CaseError, match="restore the pixel store"):
        change_case(found, coordinator, {"automatic_window": True}, WHY)


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
