"""Raw data of an export as HDF5 where h5py is there, as NPZ where it isn't; both hold the same arrays."""

from __future__ import annotations

import builtins
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from inference.physics import mri
from readerstudy.jobs.claims import claim, finish
from readerstudy.reconstructions import export_items, export_list, exports
from tests.factories import LEVELS, make_case, make_user

ARRAYS: dict[str, Any] = {
    "k_space": (np.arange(6, dtype=np.complex64) * (1 + 2j)).reshape(2, 3),
    "mask": np.array([True, False, True]),
    "detector_spacing_mm": np.asarray(0.7),
}


def without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refusing(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refusing)


def exported(data: Path, modality: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    made = exports.request_inputs([make_case(modality, slices=1)], LEVELS, make_user(may_coordinate=True))
    while held := claim("cpu", ""):
        exports.export(held)
        finish(held)
    with zipfile.ZipFile(export_list.zip_path(made)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    item: dict[str, Any] = json.loads(files["manifest.json"])["items"][0]
    return item, files


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return tmp_path / "data"


def test_hdf5_gives_back_values_types_and_shapes() -> None:
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra [fastmri]")
    suffix, content = export_items.raw_file(ARRAYS)
    assert suffix == ".h5"
    with h5py.File(io.BytesIO(content)) as file:
        assert sorted(file) == sorted(ARRAYS)
        for name, array in ARRAYS.items():
            assert file[name].dtype == array.dtype and np.array_equal(file[name][()], array)


def test_npz_stands_in_where_h5py_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    without_h5py(monkeypatch)
    suffix, content = export_items.raw_file(ARRAYS)
    assert suffix == ".npz"
    with np.load(io.BytesIO(content)) as file:
        assert sorted(file.files) == sorted(ARRAYS)
        for name, array in ARRAYS.items():
            assert file[name].dtype == array.dtype and np.array_equal(file[name], array)


@pytest.mark.django_db
def test_an_export_of_mr_carries_k_space_in_hdf5_that_reconstructs(data: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra [fastmri]")
    item, files = exported(data, "MR")
    assert item["raw"]["file"].endswith(".h5") and item["raw"]["arrays"] == ["k_space", "mask"]
    with h5py.File(io.BytesIO(files[item["raw"]["file"]])) as file:
        k_space, mask = file["k_space"][()], file["mask"][()]
    assert np.iscomplexobj(k_space) and mask.dtype == np.bool_
    assert not k_space[..., ~mask].any() and 0 < mask.sum() < mask.size
    assert np.abs(mri.to_image(k_space)).max() > 0


@pytest.mark.django_db
def test_an_export_of_ct_carries_its_sinogram_and_geometry_in_hdf5(data: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra [fastmri]")
    item, files = exported(data, "CT")
    with h5py.File(io.BytesIO(files[item["raw"]["file"]])) as file:
        assert sorted(file) == ["angles_rad", "detector_spacing_mm", "pixel_spacing_mm", "sinogram"]
        assert len(file["angles_rad"]) in file["sinogram"].shape
        assert file["sinogram"].dtype == np.float32 and np.isfinite(file["sinogram"][()]).all()


@pytest.mark.django_db
def test_ultrasound_has_no_raw_data(data: Path) -> None:
    item, files = exported(data, "US")
    assert "raw" not in item and not [name for name in files if name.endswith((".h5", ".npz"))]


@pytest.mark.django_db
def test_the_page_gives_the_zip_with_its_raw_data(data: Path, client: Client) -> None:
    exported(data, "MR")
    client.force_login(make_user(may_coordinate=True))
    made = export_list.list_exports()[0]
    answer = client.get(reverse("reconstructions:export", args=[made.id]))
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:  # type: ignore[attr-defined]
        assert [name for name in archive.namelist() if name.endswith((".h5", ".npz"))]
