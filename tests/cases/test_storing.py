"""A series becomes exactly one case, under pseudonyms, with nothing of a person in it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, verify
from readerstudy.audit.models import Entry
from readerstudy.cases import queries
from readerstudy.cases import store as pixels
from readerstudy.cases.models import Case, Patient, Source
from tests.cases.factories import body, case, series, store


def test_numbers_count_per_modality_and_patients_on_their_own(source: Source) -> None:
    made = [case(source, modality, seed=seed) for seed, modality in enumerate(["CT", "MR", "CT", "US"])]
    assert [one.pseudonym for one in made] == ["CT-0001", "MR-0001", "CT-0002", "US-0001"]
    assert [one.patient.pseudonym for one in made] == ["P-0001", "P-0002", "P-0003", "P-0004"]


def test_numbers_go_on_behind_the_last_one_past_four_digits(source: Source) -> None:
    case(source)
    Case.objects.update(pseudonym="CT-9999")
    assert case(source, seed=1).pseudonym == "CT-10000"
    assert case(source, seed=2).pseudonym == "CT-10001"


def test_two_series_of_one_patient_share_the_pseudonym(source: Source) -> None:
    first = case(source, seed=1, age_band="")
    second = case(source, seed=2, patient_key="patient-1", age_band="70-79")
    assert first.patient == second.patient
    assert Patient.objects.get().age_band == "70-79"


def test_the_same_series_again_is_the_same_case(source: Source) -> None:
    first, again = store(series(), source), store(series(), source)
    assert (first.created, again.created) == (True, False)
    assert first.case == again.case
    assert Entry.objects.filter(verb="case.import").count() == 1


def test_the_same_pixels_under_another_name_are_the_same_case(source: Source) -> None:
    first = store(series(), source)
    again = store(series(series_key="another", patient_key="another"), source)
    assert (again.created, again.case) == (False, first.case)
    assert Patient.objects.count() == 1


def test_two_groups_of_one_series_are_two_cases(source: Source) -> None:
    assert case(source, seed=1, series_key="s").pseudonym == "CT-0001"
    assert case(source, seed=2, series_key="s").pseudonym == "CT-0002"


def test_pixels_are_stored_under_their_hash_and_come_back_in_physical_units(source: Source) -> None:
    image = series("CT", 3, slope=1.0)
    rows = list(store(image, source).case.slices.all())
    for plane, row in zip(image.pixels, rows, strict=True):
        assert row.pixels == hashlib.sha256(plane.astype("<u2").tobytes()).hexdigest()
        pixels.verify(row.pixels)
        assert (queries.pixels(row) == plane).all()
        assert queries.values(row).min() == -1024
    assert [row.position for row in rows] == [0.0, 5.0, 10.0]


@pytest.mark.parametrize(
    ("modality", "count", "edges"),
    [("CT", 4, [0, 3]), ("CT", 2, []), ("MR", 1, []), ("US", 5, [])],
)
def test_edges_are_the_outer_slices_of_a_volume(source: Source, modality: str, count: int, edges: list[int]) -> None:
    found = case(source, modality, count=count)
    assert list(found.slices.filter(edge=True).values_list("index", flat=True)) == edges


def test_quarantine_waits_for_a_person_and_going_round_it_keeps_the_reason(source: Source) -> None:
    waiting = store(series("US"), source).case
    assert waiting.state == Case.State.QUARANTINED
    assert "burned into the pixels" in waiting.state_reason
    head = store(series("CT", seed=1, face_risk=True), source).case
    assert "can show a face" in head.state_reason
    passed = store(series("US", seed=2), source, quarantine=False).case
    assert (passed.state, passed.state_reason) == (Case.State.READY, "tested")
    harmless = store(series("MR", seed=3), source, quarantine=False).case
    assert (harmless.state, harmless.state_reason) == (Case.State.READY, "")


def test_hashes_of_a_person_are_keyed(source: Source, settings: Any) -> None:
    found = case(source, seed=7)
    plain = hashlib.sha256(b"patient-7").hexdigest()
    kept = [found.key, found.patient.key, *found.source_ids]
    assert not any(plain in entry for entry in kept)
    settings.SECRET_KEY = "another installation"
    elsewhere = case(source, seed=7, pixels=body("CT", 4, 8))
    assert elsewhere.patient.key != found.patient.key
    assert not set(elsewhere.source_ids) & set(found.source_ids)


def test_every_case_is_in_the_audit_chain_with_its_hashes(source: Source, coordinator: User) -> None:
    found = store(series("CT", 2), source, by=coordinator).case
    entry = Entry.objects.get(verb="case.import")
    assert entry.actor == coordinator.handle
    assert entry.data["pixels"] == list(found.slices.values_list("pixels", flat=True))
    assert list(verify(INSTALLATION)) == []
