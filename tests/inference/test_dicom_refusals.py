"""Objects that are not images to be studied: each has a sentence that says what to import instead."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.data import dicom_refusals as refusals
from tests.inference.dicom_factory import dataset, head_ct, read_all, save

CT_PIXELS = head_ct()
STORAGE = "1.2.840.10008.5.1.4.1.1."


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [
        (STORAGE + "88.11", "Structured report"),
        (STORAGE + "66.4", "Segmentation"),
        (STORAGE + "66.7", "Label map"),
        (STORAGE + "481.2", "dose grid"),
        (STORAGE + "481.3", "structure set"),
        (STORAGE + "481.5", "Radiotherapy plan"),
        (STORAGE + "11.1", "Presentation state"),
        (STORAGE + "9.1.1", "Waveform"),
        (STORAGE + "20", "Nuclear medicine"),
        (STORAGE + "128", "PET"),
        (STORAGE + "1.1", "Radiograph"),
        (STORAGE + "12.1", "Angiography"),
        (STORAGE + "77.1.6", "microscopy"),
        (STORAGE + "104.1", "Encapsulated document"),
        (STORAGE + "30", "Parametric map"),
        (STORAGE + "6.2", "Three-dimensional ultrasound"),
        ("1.2.840.10008.1.3.10", "DICOMDIR"),
        ("1.2.3.4", "not read here"),
    ],
)
def test_every_kind_has_its_own_sentence(tmp_path: Path, sop_class: str, words: str) -> None:
    save(dataset("CT", CT_PIXELS, SOPClassUID=sop_class), tmp_path / "a.dcm")
    cases, reports = read_all(tmp_path)
    assert not cases
    assert words in reports["a.dcm"].reason


@pytest.mark.parametrize(
    ("modality", "attributes", "words"),
    [
        ("CT", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "Localizer"),
        ("CT", {"SeriesDescription": "Topogram 0.6 T20f"}, "Localizer"),
        ("MR", {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "MR phase image"),
        ("MR", {"ComplexImageComponent": "REAL"}, "MR real image"),
        ("NM", {"SOPClassUID": STORAGE + "7"}, "Modality is not CT"),
        ("CT", {"RescaleIntercept": None}, "no Hounsfield units"),
        ("CT", {"SeriesInstanceUID": ""}, "Series or instance number"),
        ("CT", {"Rows": 0}, "no rows and columns"),
        ("CT", {"BitsAllocated": 32}, "neither 8 nor 16 bits"),
        ("CT", {"HighBit": 3}, "."),
    ],
)
def test_images_that_cannot_be_read_as_such(
    tmp_path: Path, modality: str, attributes: dict[str, Any], words: str
) -> None:
    save(dataset(modality, CT_PIXELS, **attributes), tmp_path / "a.dcm")
    _, reports = read_all(tmp_path)
    assert words in reports["a.dcm"].reason


def test_small_images_and_8_bit_ct_are_refused(tmp_path: Path) -> None:
    save(dataset("CT", head_ct(40, 64)), tmp_path / "small.dcm")
    save(dataset("CT", np.zeros((64, 64), np.uint8)), tmp_path / "grey.dcm")
    _, reports = read_all(tmp_path)
    assert "smaller than 48 pixels" in reports["small.dcm"].reason
    assert "lost its Hounsfield units" in reports["grey.dcm"].reason


def test_sentences_are_single_and_end_with_a_full_stop() -> None:
    for reason in refusals._REFUSED_PREFIXES.values():
        assert reason.endswith(".")
        assert ". " not in reason


def test_unknown_compression_is_refused_by_name() -> None:
    assert "cannot be decoded here" in (refusals.refusal_of_syntax("1.2.840.10008.1.2.4.100") or "")
    assert refusals.refusal_of_syntax("1.2.840.10008.1.2.4.70") is None
