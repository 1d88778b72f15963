"""The facts of a case: corrected until a study uses it, never behind the back of images that were made with them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases.actions import CaseError, freeze, import_phantom, withdraw
from readerstudy.cases.facts import change_case, windows
from readerstudy.cases.models import Case, Source
from readerstudy.reconstructions.models import Measurement
from tests.cases.factories import body, case, layered

WHY = "the header was wrong"


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
