"""The shared DICOM collection through ``manage.py import_cases``: a sentence per file, and nothing of a person left."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.serializers import serialize
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID_dictionary

from inference.data.dicom_headers import quiet_pydicom
from readerstudy.cases.models import Case, Import
from tests.cases.test_markers import PERSON, TEXT

COLLECTION = Path(os.environ.get("READERSTUDY_SHARED_DATA", "no-shared-data")) / "dicom"
PARTY = frozenset({*PERSON, *TEXT})
SHORTEST = 6

pytestmark = pytest.mark.skipif(
    not COLLECTION.is_dir(), reason="READERSTUDY_SHARED_DATA does not name a folder with dicom/"
)


def words(ds: Dataset) -> Iterator[str]:
    """What a header says of persons, places, dates and ids, nested and private parts included."""
    for element in ds.iterall():
        if element.VR in ("SQ", "OB", "OW", "UN") or element.value is None:
            continue
        values = element.value if isinstance(element.value, (list, pydicom.multival.MultiValue)) else [element.value]
        telling = element.VR in ("PN", "UI", "DA", "DT", "TM") or element.keyword in PARTY
        if telling or (element.tag.is_private and element.VR in ("LO", "LT", "SH", "ST", "UT")):
            yield from (str(value).strip() for value in values)


def identifying(folder: Path) -> set[str]:
    """Values of at least SHORTEST characters; not the names of device models, which an import keeps by default."""
    quiet_pydicom()
    found: set[str] = set()
    devices: set[str] = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        try:
            ds = pydicom.dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        found.update(words(ds))
        devices.add(str(ds.get("ManufacturerModelName", "")).strip())
    plain = {value for value in found if len(value) >= SHORTEST and re.search(r"[^0.]", value)}
    return plain - set(UID_dictionary) - devices


@pytest.mark.django_db
def test_every_file_has_its_outcome_and_no_identifying_value_stays(installation: Path) -> None:
    output = io.StringIO()
    call_command("import_cases", COLLECTION, source="Collection", stdout=output, stderr=io.StringIO())
    batch = Import.objects.get()
    files = sum(path.is_file() for path in COLLECTION.rglob("*"))
    assert batch.files.count() == batch.accepted + batch.refused + batch.quarantined == files > 200
    assert batch.accepted > 50 and batch.quarantined > 5
    assert all(row.reason.endswith(".") for row in batch.files.exclude(status="accepted"))
    assert not Case.objects.exclude(state__in=["ready", "quarantined"]).exists()

    values = identifying(COLLECTION)
    assert len(values) > 500
    rows = "\n".join(serialize("json", model._default_manager.all(), ensure_ascii=False) for model in apps.get_models())
    kept = {value for value in values if value in rows}
    assert kept == set()
    stored = [path.read_bytes() for path in installation.rglob("*") if path.is_file()]
    written = {value for value in values if any(value.encode() in content for content in stored)}
    assert written == set()
