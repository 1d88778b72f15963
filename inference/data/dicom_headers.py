"""First pass over the files: open safely, refuse early, and keep of each header only what grouping needs."""

import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pydicom.config
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from inference.data import dicom_describe as describe
from inference.data import dicom_refusals as refusals
from inference.data.dicom_types import Limits, RefusalError

DAMAGED = "The DICOM header is damaged and cannot be parsed: export the file again from its source."
TOO_DEEP = "The header nests sequences too deeply to be parsed safely: export the file again from its source."
NO_MEMORY = "The file needed more memory than allowed: export it uncompressed, or split it into smaller series."
TRUNCATED = "The pixel data is shorter than rows, columns and frames say: copy or export the file again."

_TAGS = (
    *describe.TAGS_DESCRIBED,
    *("SOPClassUID", "SOPInstanceUID", "Modality", "PatientID", "IssuerOfPatientID"),
    *("StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "AcquisitionNumber"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("EchoNumbers", "TemporalPositionIdentifier", "TriggerTime", "DiffusionBValue"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("SequenceOfUltrasoundRegions", "UltrasoundColorDataPresent"),
)


@dataclass(frozen=True)
class Frame:
    """Geometry and rescale of one frame; `splits` are attributes that may tell repeats at one place apart."""

    number: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float
    intercept: float
    echo: str
    splits: tuple[str, ...]
    instance: int


@dataclass(frozen=True)
class Header:
    """What is kept of one file between the two passes."""

    index: int
    path: str
    sop_instance: str
    transfer_syntax: str
    modality: str
    component: str
    rows: int
    cols: int
    cine: bool
    monochrome1: bool
    bits_stored: int
    signed: bool
    padding: tuple[int, int] | None
    patient_key: str
    patient_id: str
    study_key: str
    series_key: str
    anatomy: str
    age_band: str
    sex: str
    device: dict[str, str | float]
    burned_in_risk: bool
    notes: tuple[str, ...]
    frames: tuple[Frame, ...]


def quiet_pydicom() -> None:
    """Stop pydicom from warning: its warnings quote header values, which may be a patient's."""
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module="pydicom")
    pydicom.config.logger.disabled = True


def read_header(path: Path, index: int, name: str, limits: Limits) -> Header:
    """Return what is needed of one file's header; raise RefusalError with the sentence for its report."""
    _check_container(path, name, limits)
    try:
        meta = read_file_meta_info(path)
        syntax = str(meta.get("TransferSyntaxUID", ""))
        if meta.get("MediaStorageSOPClassUID"):
            _refuse(refusals.refusal_of_class(str(meta.MediaStorageSOPClassUID)))
        _refuse(refusals.refusal_of_syntax(syntax))
        ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
        _check_object(ds)
        _check_layout(ds, syntax, path.stat().st_size, limits)
        return _header(ds, syntax, index, name)
    except RefusalError:
        raise
    except RecursionError as error:
        raise RefusalError(TOO_DEEP) from error
    except MemoryError as error:
        raise RefusalError(NO_MEMORY) from error
    except Exception as error:  # pydicom raises many types on hostile bytes; one file must not stop the import
        raise RefusalError(DAMAGED) from error


def _refuse(reason: str | None) -> None:
    if reason:
        raise RefusalError(reason)


def _check_container(path: Path, name: str, limits: Limits) -> None:
    """Refuse whatever is not a regular Part 10 file, by its first bytes."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise RefusalError("Not a regular file (a link or device): copy the file itself into the folder.")
    if status.st_size == 0:
        raise RefusalError("Empty file: copy or export it again.")
    if status.st_size > limits.max_file_bytes:
        raise RefusalError("File larger than this installation reads: split the series into smaller files.")
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:132] == b"DICM":
        return
    if head[:4] == b"PK\x03\x04":
        raise RefusalError("Archive inside the folder: import the zip by itself, or unpack it first.")
    if head[:2] == b"\x1f\x8b":
        raise RefusalError("Compressed archive: unpack it and import the DICOM files inside.")
    if head[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08", b"\x00\x02"):
        raise RefusalError("DICOM data without its file header (Part 10): export it again as DICOM files.")
    if head[:3] == b"\xff\xd8\xff" or head[:8] == b"\x89PNG\r\n\x1a\n":
        raise RefusalError("Picture file without medical grey values: export the series as DICOM instead.")
    raise RefusalError("Not a DICOM file: leave it out, or export the images as DICOM.")


def _check_object(ds: Dataset) -> None:
    """Refuse what is not an acquired CT, MR or ultrasound image."""
    sop_class = str(ds.get("SOPClassUID", ""))
    _refuse(refusals.refusal_of_class(sop_class))
    modality = refusals.modality_of_class(sop_class, describe.text(ds, "Modality").upper())
    if modality is None:
        raise RefusalError(refusals.WRONG_MODALITY)
    if describe.is_localizer(ds):
        raise RefusalError("Localizer (scout) image: import the series that was planned on it.")
    if ds.get("ModalityLUTSequence"):
        raise RefusalError("Values pass through a look-up table of the maker: export with rescale slope and intercept.")
    if modality == "CT" and not _has_rescale(ds):
        raise RefusalError("CT without rescale slope and intercept has no Hounsfield units: export the CT series.")
    if modality == "US":
        _check_regions(ds)
    component = describe.mr_component(ds) if modality == "MR" else ""
    if component in ("phase", "real", "imaginary"):
        raise RefusalError(f"MR {component} image: import the magnitude images of the series.")
    if not describe.text(ds, "SeriesInstanceUID") or not describe.text(ds, "SOPInstanceUID"):
        raise RefusalError("Series or instance number (UID) is missing: export the series again from its source.")


def _has_rescale(ds: Dataset) -> bool:
    shared = _first(ds, "SharedFunctionalGroupsSequence")
    groups = [group for group in (_first(ds, "PerFrameFunctionalGroupsSequence"), shared) if group is not None]
    return describe.number(_group(groups, "PixelValueTransformationSequence", ds), "RescaleIntercept") is not None


def _check_regions(ds: Dataset) -> None:
    """Refuse ultrasound whose regions are flow, spectrum or M-mode (PS3.3 C.8.5.5.1)."""
    regions = ds.get("SequenceOfUltrasoundRegions") or []
    kinds = {int(describe.number(region, "RegionDataType") or 0) for region in regions}
    formats = {int(describe.number(region, "RegionSpatialFormat") or 0) for region in regions}
    if 2 in kinds and describe.number(ds, "UltrasoundColorDataPresent"):
        raise RefusalError("Doppler colour is laid over the image: export the grey B-mode images.")
    if kinds & {3, 4} or 3 in formats:
        raise RefusalError("Spectral Doppler, not an image of tissue: export the grey B-mode images.")
    if 2 in formats:
        raise RefusalError("M-mode trace, not an image of tissue: export the grey B-mode images.")


def _check_layout(ds: Dataset, syntax: str, file_bytes: int, limits: Limits) -> None:
    """Check rows, columns, frames and bits against the ceilings and against the file's own length."""
    rows, cols = int(ds.get("Rows") or 0), int(ds.get("Columns") or 0)
    frames, samples = int(ds.get("NumberOfFrames") or 1), int(ds.get("SamplesPerPixel") or 1)
    bits = int(ds.get("BitsAllocated") or 0)
    if rows <= 0 or cols <= 0:
        raise RefusalError(refusals.NO_PIXELS)
    if min(rows, cols) < limits.min_side:
        raise RefusalError(f"Image smaller than {limits.min_side} pixels on a side: too small to be read.")
    if max(rows, cols) > limits.max_side or frames < 1 or frames > limits.max_frames:
        raise RefusalError("Image larger than this installation reads: crop it, or split it into fewer frames.")
    if bits not in (8, 16) or samples not in (1, 3):
        raise RefusalError("Pixels with neither 8 nor 16 bits, or with alpha: export as plain grey images.")
    claimed = rows * cols * frames * stored_samples(ds) * bits // 8
    if claimed > limits.max_file_bytes:
        raise RefusalError(NO_MEMORY)
    if syntax in refusals.UNCOMPRESSED and claimed > file_bytes:
        raise RefusalError(TRUNCATED)
    # A run of RLE holds at most 128 bytes in 2, so that anything above 64:1 cannot be honest.
    if syntax == refusals.RLE and claimed > 64 * file_bytes:
        raise RefusalError("The header claims more pixels than its RLE data can hold: export the file again.")
    if _modality(ds) == "CT" and (bits == 8 or samples == 3):
        raise RefusalError("CT saved with 8 bits or in colour has lost its Hounsfield units: export the CT series.")


def stored_samples(ds: Dataset) -> int:
    """Return the samples stored per pixel: in YBR_FULL_422 two pixels share chroma (PS3.3 C.7.6.3.1.2)."""
    return 2 if ds.get("PhotometricInterpretation") == "YBR_FULL_422" else int(ds.get("SamplesPerPixel") or 1)


def _modality(ds: Dataset) -> str:
    found = refusals.modality_of_class(str(ds.SOPClassUID), describe.text(ds, "Modality").upper())
    assert found is not None  # _check_object has refused the others
    return found


def _header(ds: Dataset, syntax: str, index: int, name: str) -> Header:
    modality = _modality(ds)
    patient_id, issuer = describe.text(ds, "PatientID"), describe.text(ds, "IssuerOfPatientID")
    study = describe.text(ds, "StudyInstanceUID") or describe.text(ds, "SeriesInstanceUID")
    captured = str(ds.SOPClassUID) in refusals.SECONDARY_CAPTURE_CLASSES
    marked = describe.text(ds, "BurnedInAnnotation").upper() == "YES"
    frames = tuple(_frames(ds, modality))
    return Header(
        index=index,
        path=name,
        sop_instance=describe.text(ds, "SOPInstanceUID"),
        transfer_syntax=syntax,
        modality=modality,
        component=describe.mr_component(ds) if modality == "MR" else "",
        rows=int(ds.Rows),
        cols=int(ds.Columns),
        cine=modality == "US" and len(frames) > 1,
        monochrome1=describe.text(ds, "PhotometricInterpretation") == "MONOCHROME1",
        bits_stored=int(ds.get("BitsStored") or ds.BitsAllocated),
        signed=int(ds.get("PixelRepresentation") or 0) == 1,
        padding=_padding(ds),
        patient_key=f"{patient_id}\\{issuer}" if patient_id else study,
        patient_id=patient_id or study,
        study_key=study,
        series_key=describe.text(ds, "SeriesInstanceUID"),
        anatomy=describe.anatomy(ds),
        age_band=describe.age_band(ds),
        sex=describe.sex(ds),
        device=describe.device(ds),
        burned_in_risk=modality == "US" or captured or marked,
        notes=tuple(_notes(ds, syntax, modality, captured)),
        frames=frames,
    )


def _padding(ds: Dataset) -> tuple[int, int] | None:
    """Return the stored values that mean "no measurement", as a range (PS3.3 C.7.5.1.1.2)."""
    value = describe.number(ds, "PixelPaddingValue")
    if value is None:
        return None
    limit = describe.number(ds, "PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if limit is None else limit)))
    return low, high


def _notes(ds: Dataset, syntax: str, modality: str, captured: bool) -> Iterator[str]:
    if syntax in refusals.LOSSY:
        yield refusals.LOSSY[syntax]
    if captured:
        yield "secondary capture"
    tilt = describe.number(ds, "GantryDetectorTilt") or 0.0
    if modality == "CT" and abs(tilt) >= 0.5:
        yield f"gantry tilt {abs(tilt):.1f} degrees"
    if modality == "CT" and ds.get("RescaleType") not in (None, "", "HU", "US"):
        yield "rescale type of the source is not Hounsfield units"
    if modality == "MR" and describe.mr_component(ds) == "adc":
        yield "apparent diffusion coefficient map"


def _frames(ds: Dataset, modality: str) -> Iterator[Frame]:
    """Yield each frame's geometry; per-frame functional groups go before shared ones and the plain header."""
    count = int(ds.get("NumberOfFrames") or 1)
    shared = _first(ds, "SharedFunctionalGroupsSequence")
    per_frame = ds.get("PerFrameFunctionalGroupsSequence") or []
    for number in range(count):
        own = per_frame[number] if number < len(per_frame) else None
        yield _frame(ds, number, modality, [group for group in (own, shared) if group is not None])


def _frame(ds: Dataset, number: int, modality: str, groups: list[Dataset]) -> Frame:
    measures = _group(groups, "PixelMeasuresSequence", ds)
    rescale = _group(groups, "PixelValueTransformationSequence", ds)
    content = _group(groups, "FrameContentSequence", ds)
    slope = describe.number(rescale, "RescaleSlope")
    spacing = describe.numbers(measures, "PixelSpacing", 2)
    if modality == "US":
        spacing = _ultrasound_spacing(ds) or spacing
    echo = describe.number(_group(groups, "MREchoSequence", ds), "EffectiveEchoTime")
    orientation = _group(groups, "PlaneOrientationSequence", ds)
    return Frame(
        number=number,
        position=describe.numbers(_group(groups, "PlanePositionSequence", ds), "ImagePositionPatient", 3),
        orientation=describe.numbers(orientation, "ImageOrientationPatient", 6),
        spacing=spacing if spacing and min(spacing) > 0 else None,
        slope=slope if slope else 1.0,
        intercept=describe.number(rescale, "RescaleIntercept") or 0.0,
        echo=str(echo) if echo is not None else "\\".join(describe.text(ds, k) for k in ("EchoNumbers", "EchoTime")),
        splits=(
            describe.text(content, "TemporalPositionIndex") or describe.text(ds, "TemporalPositionIdentifier"),
            describe.text(_group(groups, "MRDiffusionSequence", ds), "DiffusionBValue"),
            describe.text(content, "StackID"),
            describe.text(ds, "AcquisitionNumber"),
            describe.text(ds, "TriggerTime"),
            describe.text(ds, "ImageType"),
        ),
        instance=int(describe.number(ds, "InstanceNumber") or 0),
    )


def _first(ds: Dataset, keyword: str) -> Dataset | None:
    sequence: Any = ds.get(keyword)
    return sequence[0] if sequence else None


def _group(groups: list[Dataset], keyword: str, otherwise: Dataset) -> Dataset:
    found = (_first(group, keyword) for group in groups)
    return next((macro for macro in found if macro is not None), otherwise)


def _ultrasound_spacing(ds: Dataset) -> tuple[float, ...] | None:
    """Return (row, column) mm of the first tissue region calibrated in cm (PS3.3 C.8.5.5)."""
    for region in ds.get("SequenceOfUltrasoundRegions") or []:
        unit_x, unit_y = region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")
        dx, dy = describe.number(region, "PhysicalDeltaX"), describe.number(region, "PhysicalDeltaY")
        if unit_x == unit_y == 3 and dx and dy:
            return (abs(dy) * 10, abs(dx) * 10)
    return None
