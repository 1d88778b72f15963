"""What may be said of a scan without saying who it is: words from fixed lists, bands and checked numbers."""

import math
import re
from collections.abc import Sequence
from datetime import date

from pydicom.dataset import Dataset

# Order matters: the first word found wins, so that "c-spine" is a spine and "neck" does not hide "carotid".
_ANATOMY = (
    ("carotid", ("carotid", "cca", "extracranial")),
    ("prostate", ("prostate", "prostata", "pirads")),
    ("knee", ("knee", "knie", "genou", "rodilla", "ginocchio")),
    ("breast", ("breast", "mamma")),
    ("thyroid", ("thyroid", "schilddr")),
    ("heart", ("heart", "cardiac", "cardio", "coronary", "echocardio", "epicardial", "tee", "tte")),
    ("liver", ("liver", "hepat", "leber")),
    ("kidney", ("kidney", "renal", "niere")),
    ("spine", ("spine", "lumbar", "cervical", "thoracic spine", "wirbel", "lspine", "cspine", "tspine")),
    ("head", ("head", "brain", "skull", "schaedel", "kopf", "neuro", "cerebr", "cranial", "cranium")),
    ("neck", ("neck", "hals", "larynx")),
    ("chest", ("chest", "thorax", "lung", "pulmon")),
    ("abdomen", ("abdomen", "abd", "bauch", "pancreas", "spleen")),
    ("pelvis", ("pelvis", "becken", "bladder", "uterus", "rectum")),
    ("hip", ("hip", "huefte")),
    ("shoulder", ("shoulder", "schulter")),
    ("wrist", ("wrist", "hand")),
    ("ankle", ("ankle", "foot", "fuss")),
    ("obstetric", ("obstetric", "fetal", "fetus", "foetal")),
    ("trunk", ("total body", "whole body", "wholebody", "total b", "trunk")),
)
_TEXT_SOURCES = ("BodyPartExamined", "ProtocolName", "SeriesDescription", "StudyDescription")

_VENDORS = {
    "siemens": "Siemens",
    "ge": "GE",
    "general electric": "GE",
    "philips": "Philips",
    "toshiba": "Toshiba",
    "canon": "Canon",
    "hitachi": "Hitachi",
    "fujifilm": "Fujifilm",
    "samsung": "Samsung",
    "medison": "Samsung",
    "mindray": "Mindray",
    "esaote": "Esaote",
    "acuson": "Acuson",
    "atl": "ATL",
    "united imaging": "United Imaging",
    "uih": "United Imaging",
    "neusoft": "Neusoft",
    "bruker": "Bruker",
    "supersonic": "SuperSonic",
    "aloka": "Aloka",
    "marotech": "Marotech",
}
# Numbers of the device and the acquisition that are kept; nothing else leaves the header as text.
DEVICE_NUMBERS = (
    "MagneticFieldStrength",
    "KVP",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "EchoTrainLength",
    "NumberOfAverages",
    "PixelBandwidth",
    "XRayTubeCurrent",
    "ExposureTime",
    "Exposure",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
)
DEVICE_CODES = {
    "ScanningSequence": r"(SE|IR|GR|EP|RM)(\\(SE|IR|GR|EP|RM))*",
    "SequenceVariant": r"[A-Z]{2,4}(\\[A-Z]{2,4})*",
    "MRAcquisitionType": r"[23]D",
    "ConvolutionKernel": r"[A-Z][A-Za-z]{0,2}\d{0,3}[a-z]?|STANDARD|STND|LUNG|BONE|BONEPLUS|SOFT|DETAIL",
}
_MODEL = re.compile(r"[A-Za-z0-9+.\-\\_/ ]{1,24}")
_LOCALIZER_WORDS = (
    "localizer",
    "localiser",
    "scout",
    "topogram",
    "surview",
    "scanogram",
    "survey",
    "3-plane",
    "3 plane",
)

TAGS_DESCRIBED = (
    *_TEXT_SOURCES,
    *DEVICE_NUMBERS,
    *DEVICE_CODES,
    "Manufacturer",
    "ManufacturerModelName",
    "ImageType",
    "PatientAge",
    "PatientSex",
    "PatientBirthDate",
    "StudyDate",
    "BurnedInAnnotation",
    "ComplexImageComponent",
)


def text(ds: Dataset, keyword: str) -> str:
    """Return an attribute as plain text, several values joined by a backslash, "" where it is absent."""
    try:
        value = ds.get(keyword)
    except (ValueError, TypeError, OverflowError):  # a number that is none: the attribute says nothing
        return ""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip("\0 ")
    if isinstance(value, Sequence):
        return "\\".join(str(part).strip() for part in value)
    return str(value).strip("\0 ")


def number(ds: Dataset, keyword: str) -> float | None:
    """Return a finite number of the header (the first, where there are several), or None."""
    first = text(ds, keyword).split("\\")[0]
    try:
        value = float(first)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def numbers(ds: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly `count` finite numbers of the header, or None."""
    try:
        values = tuple(float(part) for part in text(ds, keyword).split("\\"))
    except ValueError:
        return None
    return values if len(values) == count and all(math.isfinite(value) for value in values) else None


def anatomy(ds: Dataset) -> str:
    """Return the body region as a word of our own list, "" where no keyword of it occurs."""
    for source in _TEXT_SOURCES:
        words = " " + re.sub(r"[^a-z]+", " ", text(ds, source).lower()) + " "
        for region, keywords in _ANATOMY:
            # Short keywords must be whole words: "abd" or "tee" hide inside others.
            if any((f" {word} " if len(word) <= 4 else word) in words for word in keywords):
                return region
    return ""


def plane(orientation: Sequence[float] | None) -> str:
    """Return axial, sagittal, coronal or oblique (no axis within 30 degrees), "" without an orientation."""
    if orientation is None:
        return ""
    normal = slice_normal(orientation)
    axis = max(range(3), key=lambda i: abs(normal[i]))
    if abs(normal[axis]) < math.cos(math.radians(30)):
        return "oblique"
    return ("sagittal", "coronal", "axial")[axis]


def slice_normal(orientation: Sequence[float]) -> tuple[float, float, float]:
    """Return the unit normal of a slice from its row and column directions (PS3.3 C.7.6.2.1.1)."""
    rx, ry, rz, cx, cy, cz = orientation
    normal = (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)
    length = math.sqrt(sum(part * part for part in normal)) or 1.0
    return (normal[0] / length, normal[1] / length, normal[2] / length)


def _date(value: str) -> date | None:
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    except ValueError:
        return None


def age_band(ds: Dataset) -> str:
    """Return the patient's age as a band of ten years, "90+" from 90 on, "" where it is not known."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text(ds, "PatientAge").upper())
    if match and int(match[1]) > 0:  # zero years is what anonymising tools write for "unknown"
        years = int(match[1]) // {"D": 365, "W": 52, "M": 12, "Y": 1}[match[2]]
    else:
        born, seen = _date(text(ds, "PatientBirthDate")), _date(text(ds, "StudyDate"))
        if born is None or seen is None or seen < born:
            return ""
        years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def sex(ds: Dataset) -> str:
    """Return F, M or O, "" where the header says nothing of these."""
    value = text(ds, "PatientSex").upper()[:1]
    return value if value in ("F", "M", "O") else ""


def device(ds: Dataset) -> dict[str, str | float]:
    """Return device and acquisition by the allow-list above; text only as short codes or known makers."""
    described: dict[str, str | float] = {}
    maker = re.sub(r"[^a-z]+", " ", text(ds, "Manufacturer").lower()).strip()
    vendor = next((name for key, name in _VENDORS.items() if f" {key} " in f" {maker} "), "")
    if vendor:
        described["Manufacturer"] = vendor
        model = text(ds, "ManufacturerModelName")
        if _MODEL.fullmatch(model):
            described["ManufacturerModelName"] = model
    for keyword in DEVICE_NUMBERS:
        value = number(ds, keyword)
        if value is not None:
            described[keyword] = value
    for keyword, pattern in DEVICE_CODES.items():
        code = text(ds, keyword)
        if re.fullmatch(pattern, code):
            described[keyword] = code
    return described


def is_localizer(ds: Dataset) -> bool:
    """Tell whether the image only served to plan others."""
    if "LOCALIZER" in text(ds, "ImageType").upper().split("\\"):
        return True
    described = (text(ds, "SeriesDescription") + " " + text(ds, "ProtocolName")).lower()
    return any(word in described for word in _LOCALIZER_WORDS)


def mr_component(ds: Dataset) -> str:
    """Return phase, real, imaginary, adc or magnitude, as far as image type and component say."""
    values = set(text(ds, "ImageType").upper().split("\\")[2:])
    component = text(ds, "ComplexImageComponent").upper()
    for name, marks in (
        ("phase", {"P", "PHASE", "PHASE MAP", "VELOCITY"}),
        ("real", {"R", "REAL"}),
        ("imaginary", {"I", "IMAGINARY"}),
    ):
        if values & marks or component in marks:
            return name
    described = text(ds, "SeriesDescription").upper()
    if "ADC" in values or re.search(r"(?<![A-Z])ADC(?![A-Z])", described):
        return "adc"
    return "magnitude"
