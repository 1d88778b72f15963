"""fastMRI volumes: every variant of the public layout, and files that are damaged, wrong or hostile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from inference.data.fastmri import crop_image, read_fastmri, root_sum_of_squares
from inference.physics import mri
from tests.inference import fastmri_factory as factory


def test_a_single_coil_volume_round_trips(tmp_path: Path) -> None:
    k_space = factory.single_coil_k_space()
    volume = read_fastmri(factory.write(tmp_path / "file1000001.h5", k_space))
    np.testing.assert_array_equal(volume.k_space[:, 0], k_space)
    assert (volume.coils, volume.k_space.dtype) == (1, np.complex64)
    assert volume.mask is None and volume.acceleration == 1.0 and volume.header_acceleration == 1.0
    assert volume.lines == (0, factory.SHAPE[1])
    assert volume.pixel_spacing == (0.5, 0.5) and volume.slice_thickness == 3.0
    assert (volume.acquisition, volume.patient_key) == ("CORPDFS_FBK", factory.PATIENT)
    assert volume.notes == () and volume.target == factory.TARGET
    assert volume.reconstruction_esc is not None and volume.reconstruction_rss is not None
    assert volume.maximum == pytest.approx(float(volume.reconstruction_esc.max()))
    assert volume.norm == pytest.approx(float(np.linalg.norm(volume.reconstruction_esc)))
    for stored, slice_ in zip(volume.reconstruction_esc, volume.k_space, strict=True):
        image = np.abs(crop_image(mri.to_image(slice_[0]), volume.target))
        np.testing.assert_allclose(image, stored, atol=1e-8)


def test_a_multi_coil_volume_round_trips(tmp_path: Path) -> None:
    k_space = factory.multi_coil(slices=2, coils=5)
    volume = read_fastmri(factory.write(tmp_path / "a.h5", k_space))
    np.testing.assert_array_equal(volume.k_space, k_space)
    assert volume.coils == 5 and volume.reconstruction_esc is None and volume.reconstruction_rss is not None
    image = crop_image(root_sum_of_squares(volume.k_space[1]), volume.target)
    np.testing.assert_allclose(image, volume.reconstruction_rss[1], atol=1e-8)


@pytest.mark.parametrize("coils", [1, 4])
def test_a_test_file_has_a_mask_and_no_reconstruction(tmp_path: Path, coils: int) -> None:
    full = factory.single_coil_k_space(2) if coils == 1 else factory.multi_coil(2, coils)
    volume = read_fastmri(factory.write(tmp_path / "a.h5", full, test=True))
    assert volume.mask is not None and volume.mask.dtype == np.bool_ and volume.mask.sum() == 18
    assert volume.acceleration == pytest.approx(72 / 18)
    assert volume.reconstruction_rss is None and volume.reconstruction_esc is None
    assert volume.maximum is None and volume.norm is None
    assert volume.target == factory.TARGET  # of the header
    assert not volume.k_space[..., ~volume.mask].any()


def test_k_space_outside_the_mask_is_dropped_with_a_note(tmp_path: Path) -> None:
    path = factory.write(tmp_path / "a.h5", factory.single_coil_k_space(1), test=True)
    with h5py.File(path, "r+") as file:
        file["kspace"][...] = factory.single_coil_k_space(1)
    volume = read_fastmri(path)
    assert volume.mask is not None and not volume.k_space[..., ~volume.mask].any()
    assert "k-space outside the file's sampling mask was set to zero" in volume.notes


def test_zero_padding_is_told_from_measured_lines(tmp_path: Path) -> None:
    k_space = factory.multi_coil(slices=1)
    k_space[..., :7], k_space[..., 66:] = 0, 0
    assert read_fastmri(factory.write(tmp_path / "a.h5", k_space)).lines == (7, 66)


def test_the_crop_follows_the_header_and_never_exceeds_the_k_space(tmp_path: Path) -> None:
    k_space, narrow = factory.single_coil_k_space(1), factory.header(target=(90, 90), recon_x=45, recon_y=45)
    path = factory.write(tmp_path / "a.h5", k_space, test=True, xml=narrow)
    assert read_fastmri(path).target == (72, 72)


def test_a_foreign_reconstruction_grid_is_noted(tmp_path: Path) -> None:
    xml = factory.header(recon_x=30.0)
    volume = read_fastmri(factory.write(tmp_path / "a.h5", factory.single_coil_k_space(1), xml=xml))
    assert volume.pixel_spacing == (0.5, 0.5)
    assert any("reconstruction grid differs" in note for note in volume.notes)


def changed(edit: Callable[[Any], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            edit(file)

    return apply


def replace(name: str, value: Any) -> Callable[[Path], None]:
    def edit(file: Any) -> None:
        del file[name]
        if value is not None:
            file[name] = value

    return changed(edit)


def nan(file: Any) -> None:
    file["kspace"][1, 5, 5] = complex("nan")


def infinite(file: Any) -> None:
    file["reconstruction_rss"][0, 0, 0] = np.inf


def external(file: Any) -> None:
    del file["kspace"]
    file["kspace"] = h5py.ExternalLink("/etc/passwd", "/kspace")


def raw_storage(file: Any) -> None:
    del file["kspace"]
    file.create_dataset("kspace", (1, 32, 32), np.complex64, external=[("/etc/passwd", 0, 1 << 13)])


def enormous(file: Any) -> None:
    del file["kspace"]
    file.create_dataset("kspace", (4096, 4096, 4096), np.complex64, chunks=(1, 64, 64), compression="gzip")


def cut(share: float) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return apply


K = factory.single_coil_k_space(2)
BOMB = '<!DOCTYPE a [<!ENTITY b "' + "c" * 99 + '">]><ismrmrdHeader>&b;</ismrmrdHeader>'
WRONG: list[tuple[Callable[[Path], Any], str]] = [
    (lambda path: path.write_bytes(b"just a note"), "not a readable HDF5 file"),
    (lambda path: path.write_bytes(b""), "not a readable HDF5 file"),
    (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 900), "not a readable HDF5 file"),
    (cut(0.5), "is cut off"),
    (cut(0.98), "is cut off"),
    (replace("kspace", None), "no dataset kspace"),
    (replace("kspace", np.abs(K)), "no complex numbers"),
    (replace("kspace", K[0]), "neither 3 axes"),
    (replace("kspace", np.zeros_like(K)), "nothing but zeros"),
    (replace("kspace", K[:0]), "neither 3 axes"),
    (changed(nan), "Slice 1 of the k-space holds values that are not numbers"),
    (changed(infinite), "reconstruction_rss holds values that are not numbers"),
    (changed(external), "is a link to another place"),
    (changed(raw_storage), "is not stored in the file"),
    (changed(enormous), "claims far more data"),
    (replace("reconstruction_rss", np.ones((3, 4, 4), np.float32)), "one real image per slice"),
    (changed(lambda file: file.create_dataset("mask", data=np.ones(71))), "0 or 1 for every column"),
    (changed(lambda file: file.create_dataset("mask", data=np.full(72, 0.5))), "0 or 1 for every column"),
    (changed(lambda file: file.attrs.pop("patient_id")), "names no patient"),
    (replace("ismrmrd_header", None), "no dataset ismrmrd_header"),
    (replace("ismrmrd_header", np.arange(3)), "not the text of an ISMRMRD header"),
    (replace("ismrmrd_header", b"<ismrmrdHeader><encoding>"), "not well-formed"),
    (replace("ismrmrd_header", b"<ismrmrdHeader/>"), "describes no encoding"),
    (replace("ismrmrd_header", BOMB.encode()), "declares a document type"),
    (replace("ismrmrd_header", factory.header(trajectory="radial").encode()), "not cartesian"),
    (replace("ismrmrd_header", factory.header(fov_x="wide").encode()), "lacks matrix sizes"),
    (replace("ismrmrd_header", factory.header(fov_y=0).encode()), "lacks matrix sizes"),
]


@pytest.mark.parametrize(("damage", "words"), WRONG)
def test_a_wrong_file_gives_one_sentence(tmp_path: Path, damage: Callable[[Path], Any], words: str) -> None:
    path = factory.write(tmp_path / "a.h5", K)
    damage(path)
    with pytest.raises(ValueError, match=words) as caught:
        read_fastmri(path)
    sentence = str(caught.value)
    assert sentence.endswith(".") and ". " not in sentence and sentence.count("\n") == 0
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_every_cut_of_a_file_is_survived(tmp_path: Path) -> None:
    whole = factory.write(tmp_path / "a.h5", factory.single_coil_k_space(1, (16, 16)), test=True).read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "a.h5").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"\.$"):
            read_fastmri(tmp_path / "a.h5")


def test_nothing_there_is_said_so(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.h5", tmp_path):
        with pytest.raises(FileNotFoundError, match="give one fastMRI file"):
            read_fastmri(path)


def test_without_h5py_the_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'readerstudy\[fastmri\]'"):
        read_fastmri(tmp_path / "a.h5")
