"""Files and archives made to do harm: each is refused with one sentence, its neighbours are read."""

import os
import resource
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from inference.data.dicom import Limits
from tests.inference.dicom_factory import (
    compressed,
    dataset,
    deflate_bomb,
    head_ct,
    huge_rle,
    nested_sequences,
    read_all,
    save,
)


def test_a_deflate_bomb_is_refused_without_being_inflated(tmp_path: Path) -> None:
    bomb = deflate_bomb(tmp_path / "bomb.dcm", 256 << 20)
    assert bomb.stat().st_size < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, reports = read_all(tmp_path)
    assert reports["bomb.dcm"].reason.startswith("Deflated transfer syntax")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_an_image_larger_than_its_bytes_can_hold_is_refused_before_decoding(tmp_path: Path) -> None:
    huge_rle(tmp_path / "a.dcm")
    _, reports = read_all(tmp_path)
    assert "larger than this installation reads" in reports["a.dcm"].reason
    ds = compressed(dataset("CT", head_ct()), "1.2.840.10008.1.2.5")
    ds.Rows = ds.Columns = 4096
    save(ds, tmp_path / "b.dcm")
    assert "more pixels than its RLE data can hold" in read_all(tmp_path)[1]["b.dcm"].reason


def test_absurd_frame_counts_are_refused(tmp_path: Path) -> None:
    save(dataset("CT", head_ct(), NumberOfFrames=2147483647), tmp_path / "a.dcm")
    assert "larger than this installation reads" in read_all(tmp_path)[1]["a.dcm"].reason


@pytest.mark.parametrize("depth", [200, 5000, 50_000])
def test_deeply_nested_sequences_do_not_stop_the_import(tmp_path: Path, depth: int) -> None:
    nested_sequences(tmp_path / "a.dcm", depth)
    save(dataset("CT", head_ct(seed=3), SeriesInstanceUID="1.2.3"), tmp_path / "b.dcm")
    cases, reports = read_all(tmp_path)
    assert reports["b.dcm"].status == "accepted"
    assert len(cases) == 1 + (reports["a.dcm"].status == "accepted")
    if depth >= 5000:
        assert "nests sequences too deeply" in reports["a.dcm"].reason


def test_truncated_files_are_refused_and_their_mates_kept(tmp_path: Path) -> None:
    for number in range(3):
        save(dataset("CT", head_ct(seed=number), number), tmp_path / f"{number}.dcm")
    whole = (tmp_path / "1.dcm").read_bytes()
    (tmp_path / "1.dcm").write_bytes(whole[:-2000])
    (case,), reports = read_all(tmp_path)
    assert len(case.pixels) == 2
    assert case.files == (0, 2)
    assert "shorter than rows, columns and frames say" in reports["1.dcm"].reason


def test_every_cut_of_a_compressed_file_is_survived(tmp_path: Path) -> None:
    whole = save(compressed(dataset("CT", head_ct()), "1.2.840.10008.1.2.4.80"), tmp_path / "a.dcm").read_bytes()
    for cut in range(0, len(whole), 199):
        (tmp_path / "a.dcm").write_bytes(whole[:cut])
        _, reports = read_all(tmp_path)
        assert reports["a.dcm"].reason


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Empty file"),
        (b"just a note", "Not a DICOM file"),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "without its file header"),
        (b"\x89PNG\r\n\x1a\n....", "Picture file"),
        (b"\x1f\x8b\x08\x00", "Compressed archive"),
        (b"PK\x03\x04", "Archive inside the folder"),
        (b"\0" * 128 + b"DICM", "does not say how it is encoded"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 400, "."),
    ],
)
def test_what_is_no_dicom_file_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "x").write_bytes(content)
    reason = read_all(tmp_path)[1]["x"].reason
    assert sentence in reason
    assert reason.endswith(".")
    assert reason.count(". ") == 0


def test_a_number_that_is_none_costs_the_attribute_not_the_file(tmp_path: Path) -> None:
    path = save(dataset("CT", head_ct(), KVP="123456"), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"123456", b"volts!"))
    (case,), _ = read_all(tmp_path)
    assert "KVP" not in case.device


def test_links_are_not_followed(tmp_path: Path) -> None:
    save(dataset("CT", head_ct()), tmp_path / "elsewhere" / "a.dcm")
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "elsewhere" / "a.dcm", tmp_path / "in" / "link.dcm")
    os.symlink(tmp_path / "elsewhere", tmp_path / "in" / "folder")
    cases, reports = read_all(tmp_path / "in")
    assert not cases
    assert reports["link.dcm"].reason.startswith("Not a regular file")


def test_a_zip_is_confined_and_its_good_files_are_read(tmp_path: Path) -> None:
    good = save(dataset("CT", head_ct()), tmp_path / "good.dcm").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sub/good.dcm", good)
        for name in ("../escape.dcm", "/absolute.dcm", "..\\windows.dcm", "C:\\drive.dcm", "a/../../up.dcm"):
            archive.writestr(name, good)
        link = zipfile.ZipInfo("link.dcm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("zeros.bin", bytes(64 << 20))
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    (case,), reports = read_all(tmp_path / "a.zip")
    assert case.pixels.shape == (1, 64, 64)
    assert reports["sub/good.dcm"].status == "accepted"
    refused = {name: report.reason for name, report in reports.items() if report.status == "refused"}
    assert len(refused) == 7
    assert "far more than its size" in refused["zeros.bin"]
    assert sum("outside its own folder" in reason for reason in refused.values()) == 5
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before


def test_a_zip_may_not_exceed_its_budget_or_count(tmp_path: Path) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.bin", rng.bytes(1000))
    _, reports = read_all(tmp_path / "a.zip", limits=Limits(max_zip_bytes=2500))
    assert ["more than this installation allows" in report.reason for report in reports.values()].count(True) == 2
    _, reports = read_all(tmp_path / "a.zip", limits=Limits(max_zip_members=3))
    assert "more files than this installation allows" in reports["a.zip"].reason


def test_a_member_that_lies_about_its_size_or_is_damaged_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.bin", b"x" * 5000)
    whole = bytearray((tmp_path / "a.zip").read_bytes())
    whole[60] ^= 1
    (tmp_path / "a.zip").write_bytes(whole)
    assert "damaged inside the archive" in read_all(tmp_path / "a.zip")[1]["a.bin"].reason
    (tmp_path / "b.zip").write_bytes(bytes(whole[:200]))
    assert "archive is damaged" in read_all(tmp_path / "b.zip")[1]["b.zip"].reason


def test_nothing_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a folder, a DICOM file or a zip"):
        read_all(tmp_path / "missing")
