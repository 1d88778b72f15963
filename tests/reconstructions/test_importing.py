"""Data in: what an outside method made of exported inputs finds its slices, or is refused with a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pydicom.uid import generate_uid

from inference.data.grid import from_stored
from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases import queries, store
from readerstudy.cases.models import Case
from readerstudy.jobs.claims import claim, finish
from readerstudy.reconstructions import exports, importing, tasks
from readerstudy.reconstructions.importing import ReturnRefused, ReturnReport, import_reconstructions
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.queries import find_reconstructions
from tests.factories import LEVELS, SIDE, make_case, make_user
from tests.reconstructions.test_exports import exported

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return tmp_path / "data"


@pytest.fixture
def coordinator() -> User:
    return make_user(may_coordinate=True)


def sent(case: Case, coordinator: User, folder: Path) -> dict[str, Path]:
    """The exported inputs of a case, unpacked with their manifest as an outside group would."""
    manifest, files = exported(exports.request_inputs([case], LEVELS, coordinator))
    for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for raw in [*folder.rglob("*.npz"), *folder.rglob("*.h5")]:
        raw.unlink()
    return {item["sop_instance_uid"]: folder / item["file"] for item in manifest["items"]}


def answer(path: Path, *, refer: bool = True, own: bool = False, **changes: Any) -> None:
    """What an outside method writes in place of its input: other pixels, and UIDs as told."""
    ds = pydicom.dcmread(path)
    if refer:
        source = pydicom.Dataset()
        source.ReferencedSOPInstanceUID = ds.SOPInstanceUID
        ds.SourceImageSequence = [source]
    if not own:
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.PixelData = (ds.pixel_array // 2 + 3).astype(ds.pixel_array.dtype).tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    ds.save_as(path, enforce_file_format=True)


def bring(folder: Path, by: User | None = None, **changes: Any) -> ReturnReport:
    return import_reconstructions(folder, **{"method": "our_unet", "version": "1.2", "by": by, **changes})


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
@pytest.mark.parametrize("way", [{}, {"refer": False, "own": True}, {"refer": False}])
def test_a_result_finds_its_slice(modality: str, way: dict[str, bool], coordinator: User, tmp_path: Path) -> None:
    """By reference, by its own UID, or by the manifest's file name."""
    case = make_case(modality, slices=3)
    for path in sent(case, coordinator, tmp_path / "out").values():
        answer(path, **way)
    report = bring(tmp_path / "out", coordinator, name="Our U-Net")
    assert [file.accepted for file in report.files] == [True] * 3, report.files
    (run,) = report.runs
    assert (run.method, run.version, run.imported, run.settings) == ("our_unet", "1.2", True, {"name": "Our U-Net"})
    assert run.measurement.level == LEVELS[modality]
    rows = list(run.reconstructions.order_by("slice__index"))
    for row, path in zip(rows, sorted((tmp_path / "out").rglob("*.dcm")), strict=True):
        ds = pydicom.dcmread(path)
        slope = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
        image = from_stored(store.get_slice(row.pixels, SIDE, SIDE), case.slope, case.intercept)
        written = ds.pixel_array * slope[0] + slope[1]
        reference = queries.values(row.slice)
        shown = reference > -1024 if modality == "CT" else reference >= 0
        assert np.allclose(image[shown], np.minimum(written, 1.25 * 255)[shown], atol=1.0)
        assert row.psnr is not None and row.ssim is not None and row.nmse is not None
    assert len(find_reconstructions(case.slices.all(), "our_unet", LEVELS, {})) == 3
    assert Entry.objects.filter(verb="run.import", subject=f"run:{run.pk}").count() == 1


def test_the_same_again_changes_nothing_and_another_image_needs_a_version(coordinator: User, tmp_path: Path) -> None:
    files = list(sent(make_case("US"), coordinator, tmp_path / "out").values())
    for path in files:
        answer(path)
    bring(tmp_path / "out")
    before = list(Reconstruction.objects.order_by("pk").values("pk", "pixels"))
    assert bring(tmp_path / "out").accepted == 2
    assert list(Reconstruction.objects.order_by("pk").values("pk", "pixels")) == before
    ds = pydicom.dcmread(files[0])
    ds.PixelData = ds.PixelData[::-1]
    ds.save_as(files[0], enforce_file_format=True)
    report = bring(tmp_path / "out")
    assert (report.accepted, report.refused) == (1, 1)
    assert "new version" in next(file.reason for file in report.files if not file.accepted)
    assert bring(tmp_path / "out", version="2").accepted == 2
    assert Run.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Rows": SIDE // 2, "Columns": SIDE * 2}, "return the same shape"),
        ({"Modality": "US", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "comes back with 8 bits"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, "It is MR, its slice CT"),
        ({"RescaleSlope": "1000"}, "Most values lie outside"),
        ({"PixelData": b"\0" * (2 * SIDE * SIDE)}, "Every pixel has the same value"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(
    changes: dict[str, Any], sentence: str, coordinator: User, tmp_path: Path
) -> None:
    first, second = sent(make_case("CT"), coordinator, tmp_path / "out").values()
    answer(first, **changes)
    answer(second)
    report = bring(tmp_path / "out")
    assert [file.accepted for file in report.files] == [False, True]
    assert sentence in report.files[0].reason and report.files[0].reason.endswith(".")


def test_files_of_nowhere_and_of_two_slices_are_refused(coordinator: User, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (first_uid, first), (second_uid, second) = sent(make_case("US"), coordinator, folder).items()
    (folder / "manifest.json").unlink()
    answer(first, refer=False)
    answer(second)
    ds = pydicom.dcmread(second)
    for uid in (first_uid, second_uid):
        item = pydicom.Dataset()
        item.ReferencedSOPInstanceUID = uid
        ds.SourceImageSequence.append(item)
    ds.save_as(second, enforce_file_format=True)
    (folder / "notes.txt").write_text("hello")
    reasons = [file.reason for file in bring(folder).files]
    assert "names no slice of this installation" in reasons[0]
    assert "several slices" in reasons[1]
    assert "Not a DICOM file" in reasons[2]
    assert not Run.objects.exists()


def test_a_slice_comes_once(coordinator: User, tmp_path: Path) -> None:
    path = next(iter(sent(make_case("US", slices=1), coordinator, tmp_path / "out").values()))
    answer(path)
    (tmp_path / "out" / "zz.dcm").write_bytes(path.read_bytes())
    report = bring(tmp_path / "out")
    assert [file.accepted for file in report.files] == [True, False]
    assert "one file per slice" in report.files[1].reason


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "restormer"}, "is a method of this program"),
        ({"method": "Our Method"}, "small letters"),
        ({"version": ""}, "version"),
        ({"name": "x" * 81}, "shorten"),
    ],
)
def test_a_key_of_the_register_and_bad_words_are_refused(
    changes: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ReturnRefused, match=sentence):
        bring(tmp_path, **changes)


def test_only_coordinators_bring_results(tmp_path: Path) -> None:
    with pytest.raises(PermissionDenied):
        bring(tmp_path, make_user())
    with pytest.raises(ReturnRefused, match="no file to import"):
        (tmp_path / "empty").mkdir()
        bring(tmp_path / "empty")
    with pytest.raises(ReturnRefused, match="nothing at"):
        bring(tmp_path / "nowhere")


def test_features_are_added_by_a_job(coordinator: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sent(make_case("US"), coordinator, tmp_path / "out").values():
        answer(path)
    bring(tmp_path / "out")
    monkeypatch.setattr(tasks, "feature_network", lambda: "f" * 64)
    monkeypatch.setattr(tasks, "_features", lambda images, case: np.eye(2, 32, dtype=np.float32))
    held = claim("cpu", "")
    assert held is not None and held.kind == importing.KIND
    importing.measure(held)
    finish(held)
    for row in Reconstruction.objects.all():
        assert row.features and row.feature_network == "f" * 64
        assert row.feature_distance == pytest.approx(2**0.5)


def test_the_command_and_the_page(client: Client, coordinator: User, tmp_path: Path) -> None:
    for path in sent(make_case("US"), coordinator, tmp_path / "out").values():
        answer(path)
    output = io.StringIO()
    call_command("import_reconstructions", str(tmp_path / "out"), "--method", "a_net", "--version", "1", stdout=output)
    assert "2 accepted, 0 refused, 1 runs." in output.getvalue()
    with pytest.raises(CommandError, match="is a method of this program"):
        call_command("import_reconstructions", str(tmp_path / "out"), "--method", "degraded", "--version", "1")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in (tmp_path / "out").rglob("*.dcm"):
            archive.write(path, path.name)
    client.force_login(coordinator)
    stream.seek(0)
    stream.name = "results.zip"
    values = {"results": stream, "method": "b_net", "version": "1"}
    page = client.post(reverse("reconstructions:import"), values)
    assert page.status_code == 200 and "2 accepted, 0 refused" in page.content.decode()
    assert Run.objects.filter(method="b_net", imported=True, requested_by=coordinator).count() == 1
    refused = client.post(reverse("reconstructions:import"), {**values, "results": io.BytesIO(b"no zip")})
    assert refused.status_code == 400
