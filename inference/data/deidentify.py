"""Pseudonymise a DICOM object after PS3.15 Annex E; the standard's table is data (`ps315_annex_e.csv`).

`deidentify` applies the Basic Application Level Confidentiality Profile and what a caller chooses to keep:

- ``patient``: age as a band of ten years (written as its first year) and sex;
- ``device``: maker and model, as far as they are known ones, never what names one particular device;
- ``acquisition``: numbers and short codes of the acquisition.

It goes further than the profile: private, unknown and free-text attributes go, also where the table does not name them;
of codes only those of a written list stay. Dates and times go. The result is pseudonymised, not anonymous: who has the
key or the original can link it, and the pixels remain the patient's. Text in the pixels is not removed here:
`burned_in_risk` tells what to quarantine.
"""

import csv
import hashlib
import hmac
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from inference.data import dicom_describe as describe
from inference.data.dicom_refusals import SECONDARY_CAPTURE_CLASSES, US_CLASSES

PATIENT, DEVICE, ACQUISITION = "patient", "device", "acquisition"
KEEP = frozenset({PATIENT, DEVICE, ACQUISITION})
TABLE = Path(__file__).with_name("ps315_annex_e.csv")
METHOD = "Pseudonymised: DICOM PS3.15 Basic Profile"
# DICOM PS3.16, Context Group 7050.
CODES = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "pixels": ("113101", "Clean Pixel Data Option"),
    PATIENT: ("113108", "Retain Patient Characteristics Option"),
    DEVICE: ("113109", "Retain Device Identity Option"),
}
_TEXTS = {PATIENT: "age band and sex kept", DEVICE: "maker and model kept", ACQUISITION: "acquisition kept"}
_DUMMY = "REMOVED"

_TEMPORAL = {"DA", "TM", "DT"}
_NUMERIC_TEXT = {"DS", "IS"}
_NUMERIC = {"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"}
_TEXT = {"AE", "LO", "LT", "SH", "ST", "UC", "UR", "UT", "PN"}
# Of attributes that the table doesn't name, only those of image, acquisition, relation and pixels can stay.
_GROUPS = {0x0008, 0x0018, 0x0020, 0x0028, 0x5200, 0x7FE0}
_BULK = {
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
}
# In group 0018, yet part of the image's geometry.
_GEOMETRY = {"SequenceOfUltrasoundRegions", *(f"Region{part}" for part in ("SpatialFormat", "DataType", "Flags"))}
_IMAGE_KIND = r"(ORIGINAL|DERIVED|MIXED)(\\(PRIMARY|SECONDARY)(\\(AXIAL|M|P|R|I|MAGNITUDE|ADC|VOLUME|NONE|OTHER))*)?"
_CODED = {
    "ImageType": _IMAGE_KIND,
    "FrameType": _IMAGE_KIND,
    "Modality": "CT|MR|US|OT|PT|NM|CR|DX|MG|XA|RF|SC",
    "PhotometricInterpretation": r"MONOCHROME[12]|RGB|PALETTE COLOR|YBR_[A-Z0-9_]{3,12}",
    "RescaleType": "HU|US|HU_MOD|OD|mm2/s",
    "BurnedInAnnotation": "YES|NO",
    "LossyImageCompression": "00|01",
    "LossyImageCompressionMethod": r"ISO_\d{5}_\d",
    "PresentationLUTShape": "IDENTITY|INVERSE",
    "PixelPresentation": "MONOCHROME|COLOR|MIXED|TRUE_COLOR",
    "VolumetricProperties": "VOLUME|SAMPLED|DISTORTED|MIXED",
    "ComplexImageComponent": "MAGNITUDE|PHASE|REAL|IMAGINARY|MIXED",
    "Laterality": "[LR]",
    "ImageLaterality": "[LRBU]",
    "PatientPosition": "[HF]F(S|P|DR|DL)",
    "PatientOrientation": r"[APRLHF]{0,3}(\\[APRLHF]{0,3})?",
    "FrameLaterality": "[LRBU]",
    "StackID": r"\d{1,4}",
}
_ACQUISITION_CODED = {**describe.DEVICE_CODES, "EchoPulseSequence": "SPIN|GRADIENT|BOTH"}


@dataclass(frozen=True)
class Rule:
    """One row of the table: the Basic Profile's action and those of the options, "" where an option says nothing."""

    name: str
    basic: str
    retain_uids: str
    retain_device: str
    retain_institution: str
    retain_patient: str
    retain_full_dates: str
    retain_modified_dates: str
    clean_descriptors: str
    clean_structured: str
    clean_graphics: str


@lru_cache(maxsize=1)
def table() -> Mapping[str, Rule]:
    """Table E.1-1 by tag (``0010,0020``), and the patterns ``50xx,xxxx``, ``60xx,3000``, ``60xx,4000``, ``private``."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row.pop("tag"): Rule(**row) for row in rows}


def rule_for(tag: int) -> Rule | None:
    """The row that speaks of a tag, or None where the table says nothing of it."""
    group, element = tag >> 16, tag & 0xFFFF
    if group % 2:
        return table()["private"]
    if group & 0xFF00 == 0x5000:
        return table()["50xx,xxxx"]
    if group & 0xFF00 == 0x6000:
        return table().get(f"60xx,{element:04x}")
    return table().get(f"{group:04X},{element:04X}")


def permitted(tag: int, keep: frozenset[str] = KEEP) -> bool:
    """Whether the profile with these options lets an attribute's own value stay."""
    rule = rule_for(tag)
    if rule is None:
        return True
    return (PATIENT in keep and rule.retain_patient == "K") or (DEVICE in keep and rule.retain_device == "K")


def new_uid(key: bytes, name: str) -> str:
    """A UID below 2.25 that only the key and the name decide, so that equal ones stay equal in one installation."""
    digest = hmac.new(key, f"uid:{name}".encode(), hashlib.sha256).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def new_patient_id(key: bytes, patient_id: str) -> str:
    """A pseudonym that only the key and the source's identifier decide."""
    return "P-" + hmac.new(key, f"patient:{patient_id}".encode(), hashlib.sha256).hexdigest()[:16]


def burned_in_risk(dataset: Dataset) -> bool:
    """Whether text may stand in the pixels: ultrasound, secondary captures and what says so itself."""
    sop_class = str(dataset.get("SOPClassUID", ""))
    marked = describe.text(dataset, "BurnedInAnnotation").upper() == "YES"
    return marked or sop_class in US_CLASSES or sop_class in SECONDARY_CAPTURE_CLASSES


def deidentify(dataset: Dataset, key: bytes, keep: frozenset[str] = KEEP, *, looked: bool = False) -> Dataset:
    """A pseudonymised copy; the original is left alone.

    ``key``: secret of the installation, for new UIDs and the patient's pseudonym. ``looked``: a person has seen that no
    text is burned into the pixels; without it an object at risk says so (0028,0301) and claims no Clean Pixel Data.
    """
    if wrong := keep - KEEP:
        raise ValueError(f"There is nothing called {min(wrong)!r} to keep: choose among {', '.join(sorted(KEEP))}.")
    made = _cleaned(dataset, key, keep)
    patient_id = describe.text(dataset, "PatientID")
    made.PatientID = made.PatientName = new_patient_id(key, patient_id) if patient_id else ""
    made.PatientBirthDate = ""
    made.PatientSex = describe.sex(dataset) if PATIENT in keep else ""
    band = describe.age_band(dataset) if PATIENT in keep else ""
    if band:
        made.PatientAge = f"{int(re.split('[-+]', band)[0]):03d}Y"
    if region := describe.anatomy(dataset):
        made.BodyPartExamined = region.upper()
    _describe_device(dataset, made, keep)
    mark(made, keep, pixels_clean=looked or not burned_in_risk(dataset))
    _write_meta(dataset, made)
    return made


def mark(dataset: Dataset, keep: frozenset[str], *, pixels_clean: bool) -> None:
    """Write 0012,0062-0064 and 0028,0301: that and how the object was pseudonymised."""
    names = ["basic", *(["pixels"] if pixels_clean else []), *(part for part in (PATIENT, DEVICE) if part in keep)]
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [METHOD, *(_TEXTS[part] for part in sorted(keep))]
    dataset.DeidentificationMethodCodeSequence = Sequence(_code(*CODES[name]) for name in names)
    dataset.BurnedInAnnotation = "NO" if pixels_clean else "YES"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _cleaned(dataset: Dataset, key: bytes, keep: frozenset[str]) -> Dataset:
    """Every element by its rule, sequences the same way down to their last item."""
    made = Dataset()
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # pydicom raises many types on hostile values; what can't be read can't stay
            continue
        kept = _element(element, key, keep)
        if kept is not None:
            made.add(kept)
    return made


def _element(element: DataElement, key: bytes, keep: frozenset[str]) -> DataElement | None:
    tag = element.tag
    if tag.group < 0x0008 or tag.element == 0 or tag.group & 0xFF00 in (0x5000, 0x6000):
        return None
    rule = rule_for(tag)
    if rule is not None:
        return _by_table(element, rule, key, keep)
    if tag.group not in _GROUPS or not dictionary_has_tag(tag):
        return None
    return _unnamed(element, key, keep)


def _by_table(element: DataElement, rule: Rule, key: bytes, keep: frozenset[str]) -> DataElement | None:
    """What the table says; where it leaves a choice the dummy is taken, for times the removal."""
    actions = rule.basic.rstrip("*").split("/")
    if element.VR == "SQ":
        return _sequence(element, key, keep) if "U" in actions else None
    action = actions[0] if element.VR in _TEMPORAL else actions[-1]
    if action == "U":
        return _uid(element, key)
    if action == "Z":
        return DataElement(element.tag, element.VR, "")
    if action == "D" and element.VR not in _TEMPORAL:
        return _dummy(element)
    return None


def _dummy(element: DataElement) -> DataElement | None:
    if element.VR in _TEXT or element.VR == "CS":
        return DataElement(element.tag, element.VR, _DUMMY)
    return DataElement(element.tag, element.VR, "0") if element.VR in _NUMERIC_TEXT else None


def _unnamed(element: DataElement, key: bytes, keep: frozenset[str]) -> DataElement | None:
    """Attributes that the table doesn't name: numbers, known codes and UIDs stay, times and free text go."""
    keyword = keyword_for_tag(element.tag)
    if element.tag.group == 0x0018 and ACQUISITION not in keep and not _is_geometry(element.tag, keyword):
        return None
    if element.VR == "SQ":
        return _sequence(element, key, keep)
    if element.VR == "UI":
        return _uid(element, key)
    if element.VR in _NUMERIC or keyword in _BULK:
        return element
    if element.VR in _NUMERIC_TEXT:
        return element if _is_number(element) else None
    pattern = _CODED.get(keyword) or _ACQUISITION_CODED.get(keyword)
    return _coded(element, pattern) if pattern else None


def _is_geometry(tag: BaseTag, keyword: str) -> bool:
    # 0018,6011 to 0018,6060 describe the regions of an ultrasound image.
    return keyword in _GEOMETRY or 0x6011 <= tag.element <= 0x6060 or keyword == "PatientPosition"


def _sequence(element: DataElement, key: bytes, keep: frozenset[str]) -> DataElement | None:
    items = [_cleaned(item, key, keep) for item in element.value or []]
    return DataElement(element.tag, "SQ", Sequence(items)) if any(len(item) for item in items) else None


def _uid(element: DataElement, key: bytes) -> DataElement | None:
    """Identifiers of the standard itself stay; every other one becomes ours."""
    values = [element.value] if isinstance(element.value, str) else list(element.value or [])
    texts = [str(value) for value in values if str(value)]
    if not texts:
        return None
    changed = [text if text in UID_dictionary else new_uid(key, text) for text in texts]
    return DataElement(element.tag, "UI", changed if len(changed) > 1 else changed[0])


def _is_number(element: DataElement) -> bool:
    """Whether a number that is written as text is one, so that no word passes for it."""
    values = element.value if element.VM > 1 else [element.value]
    try:
        return all(value is None or value == "" or math.isfinite(float(value)) for value in values)
    except (TypeError, ValueError):
        return False


def _coded(element: DataElement, pattern: str) -> DataElement | None:
    """A code of the list; of several values the leading ones that the list knows."""
    values = [element.value] if isinstance(element.value, str) else [str(value) for value in element.value or []]
    while values and not re.fullmatch(pattern, "\\".join(values)):
        values.pop()
    return DataElement(element.tag, element.VR, values if len(values) > 1 else values[0]) if values else None


def _describe_device(dataset: Dataset, made: Dataset, keep: frozenset[str]) -> None:
    described = describe.device(dataset)
    for keyword in ("Manufacturer", "ManufacturerModelName"):
        if DEVICE in keep and keyword in described:
            setattr(made, keyword, described[keyword])


def _write_meta(dataset: Dataset, made: Dataset) -> None:
    """A file header of our own: the encoding stays, who wrote the file goes."""
    source = getattr(dataset, "file_meta", None)
    if source is None:
        return
    made.file_meta = FileMetaDataset()
    if source.get("TransferSyntaxUID"):
        made.file_meta.TransferSyntaxUID = source.TransferSyntaxUID
    made.file_meta.MediaStorageSOPClassUID = made.get("SOPClassUID", source.get("MediaStorageSOPClassUID", ""))
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", "")
