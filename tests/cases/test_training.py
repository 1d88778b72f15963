"""A case of a patient whom a model was trained on is recognised, under the pool's or the header's id."""

from __future__ import annotations

from typing import Any

import pytest

from inference.data.dicom_types import patient_source_id
from readerstudy.cases.actions import source_digest
from readerstudy.cases.models import Source
from readerstudy.cases.queries import KeyChanged, seen_in_training
from tests.cases.factories import case


@pytest.mark.parametrize("name", ["A002304", "nysbu-A002304"])
def test_a_training_patient_is_recognised(source: Source, name: str) -> None:
    found = case(source, source_ids=(patient_source_id("A002304"),))
    assert seen_in_training(found, ["cs-1", name])
    assert not seen_in_training(found, ["cs-1", "nysbu-A002305"])


def test_the_digest_of_a_bare_id_is_among_the_cases_own(source: Source) -> None:
    found = case(source, source_ids=(patient_source_id("A002304"),))
    assert found.source_ids == [source_digest("A002304")]


def test_a_changed_secret_key_never_passes_as_held_out(source: Source, settings: Any) -> None:
    found = case(source, source_ids=(patient_source_id("A002304"),))
    settings.SECRET_KEY = "another key"
    with pytest.raises(KeyChanged, match="came in under another secret key"):
        seen_in_training(found, ["A002304"])
