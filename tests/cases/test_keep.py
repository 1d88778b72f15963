"""What an import may keep beside pixels and geometry; what is dropped is in no row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.serializers import serialize

from readerstudy.cases.actions import KEEP, CaseError, import_cases
from readerstudy.cases.models import Case, Import, Patient, Source
from tests.cases.factories import write_dicom

pytestmark = pytest.mark.django_db
FACTS = {
    "patient": ("60-69", '"sex": "F"'),
    "device": ("Siemens", "SOMATOM Force"),
    "acquisition": ("KVP", "Br40d", "gantry tilt"),
}


def scan(folder: Path) -> Path:
    values: dict[str, Any] = {
        "Manufacturer": "SIEMENS", "ManufacturerModelName": "SOMATOM Force", "KVP": 117, "ConvolutionKernel": "Br40d",
        "GantryDetectorTilt": 13.5,
    }  # fmt: skip
    for number in (1, 2, 3):
        write_dicom(folder / f"{number}.dcm", number=number, **values)
    return folder


def database() -> str:
    rows = (row for model in apps.get_models() for row in model._default_manager.all())
    return "\n".join(serialize("json", [row]) for row in rows if not isinstance(row, Import))


@pytest.mark.parametrize("keep", [KEEP, frozenset(), *(frozenset({part}) for part in sorted(KEEP))])
def test_only_the_chosen_facts_are_stored(tmp_path: Path, source: Source, keep: frozenset[str]) -> None:
    batch = import_cases(scan(tmp_path / "in"), source=source, by=None, keep=keep)
    assert batch.options["keep"] == sorted(keep)
    text = database()
    for part, facts in FACTS.items():
        for fact in facts:
            assert (fact in text) == (part in keep), f"{fact} with {sorted(keep)}"
    assert Case.objects.get().pixel_spacing == (0.8, 0.8)


def test_a_later_import_does_not_take_away_what_an_earlier_one_kept(tmp_path: Path, source: Source) -> None:
    import_cases(scan(tmp_path / "in"), source=source, by=None)
    write_dicom(tmp_path / "more" / "a.dcm", number=9, SeriesInstanceUID="1.2.3.4")
    import_cases(tmp_path / "more", source=source, by=None, keep=frozenset())
    assert [(row.age_band, row.sex) for row in Patient.objects.all()] == [("60-69", "F")]


def test_an_unknown_fact_is_refused(tmp_path: Path, source: Source) -> None:
    with pytest.raises(CaseError, match="choose among acquisition, device, patient"):
        import_cases(scan(tmp_path / "in"), source=source, by=None, keep=frozenset({"names"}))
    assert not Import.objects.exists()


@pytest.mark.parametrize(("words", "kept"), [(["--keep", "device"], ["device"]), (["--keep"], []), ([], sorted(KEEP))])
def test_the_command_takes_the_choice(tmp_path: Path, words: list[str], kept: list[str]) -> None:
    quiet = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    call_command("import_cases", str(scan(tmp_path / "in")), "--source", "Hospital A", *words, **quiet)
    assert Import.objects.get().options["keep"] == kept
