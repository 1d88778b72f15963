"""Data out: derived DICOM with its manifest, made by jobs, seen by whoever asked, without anything of a person."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pydicom
import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from inference.data.grid import from_stored, to_stored
from inference.physics import ct, mri
from inference.physics.degrade import degrade
from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases import queries
from readerstudy.cases.actions import withdraw
from readerstudy.cases.models import Case, Look
from readerstudy.jobs.actions import JobFailure
from readerstudy.jobs.claims import claim, finish
from readerstudy.jobs.models import Job
from readerstudy.reconstructions import export_list, exports, importing
from readerstudy.reconstructions.models import Measurement
from tests.factories import LEVELS, make_case, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return tmp_path / "data"


@pytest.fixture
def coordinator() -> User:
    return make_user(may_coordinate=True)


def work() -> None:
    handlers = {export_list.KIND: exports.export, importing.KIND: importing.measure}
    while held := claim("cpu", ""):
        handlers[held.kind](held)
        finish(held)


def exported(made: UUID) -> tuple[dict[str, Any], dict[str, bytes]]:
    work()
    with zipfile.ZipFile(export_list.zip_path(made)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(files.pop("manifest.json")), files


def raw_arrays(name: str, content: bytes) -> dict[str, Any]:
    """The arrays of a raw file, whichever of its two formats it has."""
    if name.endswith(".npz"):
        return dict(np.load(io.BytesIO(content)))
    h5py = pytest.importorskip("h5py")
    with h5py.File(io.BytesIO(content)) as file:
        return {key: file[key][()] for key in file}


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_degraded_inputs_are_what_every_method_gets(modality: str, coordinator: User) -> None:
    case = make_case(modality, slices=2)
    manifest, files = exported(exports.request_inputs([case], LEVELS, coordinator))
    measurement = Measurement.objects.get()
    assert len(manifest["items"]) == 2
    for item, row in zip(manifest["items"], case.slices.order_by("index"), strict=True):
        assert hashlib.sha256(files[item["file"]]).hexdigest() == item["sha256"]
        ds = pydicom.dcmread(io.BytesIO(files[item["file"]]))
        assert ds.SOPInstanceUID == item["sop_instance_uid"]
        reference = queries.values(row)
        made = degrade(
            reference, modality, LEVELS[modality], seed=measurement.seed + row.index,
            pixel_spacing=case.pixel_spacing, data_range=case.data_range,
        )  # fmt: skip
        expected = to_stored(made.degraded, reference, modality, case.slope, case.intercept)
        assert np.array_equal(ds.pixel_array, expected)
        assert (item["case"], item["slice"], item["level"]) == (case.pseudonym, row.index + 1, LEVELS[modality])
        assert item["physics"] == measurement.physics and item["parameters"]["physics_version"]


def test_the_raw_data_reconstruct_to_the_degraded_image(coordinator: User) -> None:
    cases = [make_case("CT", slices=1), make_case("MR", slices=1)]
    manifest, files = exported(exports.request_inputs(cases, LEVELS, coordinator))
    for case, item in zip(cases, sorted(manifest["items"], key=lambda i: i["modality"]), strict=True):
        assert hashlib.sha256(files[item["raw"]["file"]]).hexdigest() == item["raw"]["sha256"]
        raw = raw_arrays(item["raw"]["file"], files[item["raw"]["file"]])
        assert sorted(raw) == item["raw"]["arrays"]
        if case.modality == "MR":
            image = np.abs(mri.to_image(raw["k_space"])).astype(np.float32)
        else:
            spacing = tuple(raw["pixel_spacing_mm"])
            geometry = ct.geometry_for((16, 16), spacing)
            assert np.allclose(raw["angles_rad"], geometry.angles)
            back = ct.filtered_back_projection(
                raw["sinogram"].astype(float), (16, 16), spacing, geometry, ct.FILTER, ct.CUTOFF
            )
            image = ct.hounsfield(back)
        reference = queries.values(case.slices.get())
        ds = pydicom.dcmread(io.BytesIO(files[item["file"]]))
        expected = to_stored(image, reference, case.modality, case.slope, case.intercept)
        assert np.abs(ds.pixel_array.astype(int) - expected).max() <= 1  # the sinogram is stored as float32


def test_several_levels_and_cases_go_into_one_zip_with_uids_of_their_own(coordinator: User) -> None:
    cases = [make_case("CT"), make_case("CT")]
    manifest, _ = exported(exports.request_inputs(cases, {"CT": [0.25, 0.5]}, coordinator))
    assert len({item["sop_instance_uid"] for item in manifest["items"]}) == 8
    assert len({item["series_instance_uid"] for item in manifest["items"]}) == 4
    again, _ = exported(exports.request_inputs(cases[:1], {"CT": [0.25]}, coordinator))
    assert {i["sop_instance_uid"] for i in again["items"]} < {i["sop_instance_uid"] for i in manifest["items"]}


def test_reconstructions_go_out_the_same_way(coordinator: User) -> None:
    run = make_run(make_case("CT"), "restormer")
    manifest, files = exported(exports.request_reconstructions([run], coordinator))
    first = run.reconstructions.order_by("slice__index")[0]
    item = manifest["items"][0]
    assert (item["method"], item["run"], item["pixels_sha256"]) == ("restormer", str(run.pk), first.pixels)
    ds = pydicom.dcmread(io.BytesIO(files[item["file"]]))
    assert hashlib.sha256(ds.pixel_array.astype("<u2").tobytes()).hexdigest() == first.pixels
    assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == item["source_sop_instance_uid"]
    assert ds.SOPInstanceUID != item["source_sop_instance_uid"]
    assert "not for diagnosis" in ds.DerivationDescription


def test_exporting_counts_as_seeing_and_is_audited(coordinator: User) -> None:
    case = make_case("CT")
    made = exports.request_inputs([case], LEVELS, coordinator)
    assert Look.objects.filter(case=case, user=coordinator).exists()
    work()
    other = make_user(may_coordinate=True)
    exports.open_export(made, other)
    assert Look.objects.filter(case=case, user=other).exists()
    verbs = set(Entry.objects.filter(subject=f"export:{made}").values_list("verb", flat=True))
    assert verbs == {"export.request", "export.download"}


def test_a_repeated_job_is_harmless(coordinator: User) -> None:
    made = exports.request_inputs([make_case("CT"), make_case("MR")], LEVELS, coordinator)
    work()
    before = export_list.zip_path(made).read_bytes()
    Job.objects.update(state=Job.State.QUEUED, attempts=0)
    work()
    assert export_list.zip_path(made).read_bytes() == before
    assert sorted(path.name for path in export_list.zip_path(made).with_suffix("").iterdir()) == ["request.json"]


def test_a_withdrawn_case_goes_out_no_more(coordinator: User) -> None:
    case = make_case("CT")
    made = exports.request_inputs([case], LEVELS, coordinator)
    waiting = exports.request_inputs([case], LEVELS, coordinator)
    held = claim("cpu", "")
    assert held is not None
    exports.export(held)
    finish(held)
    withdraw(case, coordinator, "consent withdrawn")
    with pytest.raises(exports.ExportError, match="was withdrawn since"):
        exports.open_export(made, coordinator)
    held = claim("cpu", "")
    assert held is not None
    with pytest.raises(JobFailure, match="withdrawn"):
        exports.export(held)
    assert not export_list.zip_path(waiting).exists()


def test_what_can_not_be_exported_is_said(coordinator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case("CT")
    with pytest.raises(exports.ExportError, match="nothing to export"):
        exports.request_reconstructions([], coordinator)
    with pytest.raises(exports.ExportError, match="Give a level for CT"):
        exports.request_inputs([case], {}, coordinator)
    with pytest.raises(PermissionDenied):
        exports.request_inputs([case], LEVELS, make_user())
    monkeypatch.setattr(exports, "MOST_SLICES", 1)
    with pytest.raises(exports.ExportError, match="choose fewer"):
        exports.request_inputs([case], LEVELS, coordinator)
    case.state = Case.State.QUARANTINED
    case.save()
    with pytest.raises(exports.ExportError, match="release it first"):
        exports.request_inputs([case], LEVELS, coordinator)
    assert not Job.objects.exists() and not Look.objects.exists()


def test_the_page_asks_and_gives(client: Client, coordinator: User) -> None:
    case = make_case("MR")
    client.force_login(coordinator)
    page = reverse("reconstructions:exports")
    answer = client.post(page, {"what": "inputs", "cases": case.pseudonym, "ct": "0.25", "mr": "6", "us": "-6"})
    assert answer.status_code == 302
    (found,) = export_list.list_exports()
    assert (found.state, found.total) == ("open", 2)
    early = client.get(reverse("reconstructions:export", args=[found.id]), follow=True)
    assert "not ready" in early.content.decode()
    work()
    assert "Download" in client.get(page).content.decode()
    response = client.get(reverse("reconstructions:export", args=[found.id]))
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    refused = client.post(page, {"what": "inputs", "cases": "CT-9999"})
    assert refused.status_code == 400 and "There is no case CT-9999" in refused.content.decode()


def test_the_list_knows_each_export_by_itself(coordinator: User, django_assert_num_queries: Any) -> None:
    case = make_case("CT")
    ready = exports.request_inputs([case], {"CT": [0.25, 0.5]}, coordinator)
    work()
    waiting = exports.request_inputs([case], LEVELS, coordinator)
    failed = exports.request_inputs([case], {"CT": [0.25, 0.5]}, coordinator)
    for number, when in enumerate(("2026-01-01T10:00Z", "2026-01-01T11:00Z")):
        rows = Job.objects.filter(key=f"{export_list.prefix(failed)}{number:05d}")
        assert rows.update(state=Job.State.FAILED, reason=f"reason {number}", finished_at=when) == 1
    called_back = exports.request_inputs([case], LEVELS, coordinator)
    Job.objects.filter(key__startswith=export_list.prefix(called_back)).update(state=Job.State.CANCELLED)
    with django_assert_num_queries(2):
        listed = export_list.list_exports()
    assert [(e.id, e.state, e.done, e.total, e.reason) for e in listed] == [
        (called_back, "stopped", 0, 2, ""), (failed, "failed", 0, 4, "reason 1"), (waiting, "open", 0, 2, ""),
        (ready, "ready", 4, 4, ""),
    ]  # fmt: skip
    assert listed == [export_list.find_export(e.id) for e in listed]


def test_values_keep_their_unit(coordinator: User) -> None:
    case = make_case("MR", slices=1)
    case.slope = 0.0123456789012345
    case.save()
    manifest, files = exported(exports.request_inputs([case], LEVELS, coordinator))
    ds = pydicom.dcmread(io.BytesIO(files[manifest["items"][0]["file"]]))
    values = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    assert np.allclose(values, from_stored(ds.pixel_array, case.slope, case.intercept), rtol=1e-6)
