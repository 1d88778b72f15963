"""DICOM files of every kind the reader meets, good and hostile, made here so that no file need be shipped."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

SOP_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "US": UltrasoundImageStorage}
SERIES, STUDY = "1.2.826.0.1.3680043.8.498.7", "1.2.826.0.1.3680043.8.498.8"


def head_ct(rows: int = 64, cols: int = 64, seed: int = 0) -> NDArray[np.int16]:
    """Return HU of a disc of soft tissue with a bright shell in air."""
    y, x = np.mgrid[:rows, :cols]
    radius = np.hypot((y - rows / 2 + 0.5) / rows, (x - cols / 2 + 0.5) / cols)
    image = np.where(radius < 0.35, 40, np.where(radius < 0.4, 900, -1000))
    noise = np.random.Generator(np.random.PCG64(seed)).integers(-20, 20, image.shape)
    return np.asarray(image + noise, np.int16)


def dataset(modality: str, pixels: NDArray[Any], number: int = 1, **attributes: Any) -> FileDataset:
    """Return an uncompressed single- or multi-frame object; `attributes` replace or add header elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = attributes.get("SOPClassUID", SOP_CLASSES.get(modality, CTImageStorage))
    meta.MediaStorageSOPInstanceUID = attributes.get("SOPInstanceUID", generate_uid())
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.PatientID, ds.PatientName = modality, "P-1", "Marker^Name"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = STUDY, SERIES, number
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    frames = pixels.ndim == (4 if colour else 3)
    ds.Rows, ds.Columns = pixels.shape[1:3] if frames else pixels.shape[:2]
    if frames:
        ds.NumberOfFrames = pixels.shape[0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(pixels.dtype.kind == "i")
    if modality in ("CT", "MR"):
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 3.0 * number]
        ds.PixelSpacing = [0.7, 0.8]
    if modality == "CT":
        ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def save(ds: FileDataset, path: Path) -> Path:
    """Write an object in the encoding that its file meta names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def save_big_endian(ds: FileDataset, path: Path) -> Path:
    """Write a 16-bit object as Explicit VR Big Endian."""
    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    # pydicom remembers the byte order that the object was made in and refuses to change it silently.
    ds.set_original_encoding(False, False)
    return save(ds, path)


def compressed(ds: FileDataset, transfer_syntax: str, stream: bytes | None = None) -> FileDataset:
    """Compress an object, or give it a stream made elsewhere."""
    if stream is None:
        ds.compress(transfer_syntax, generate_instance_uid=False)
    else:
        ds.file_meta.TransferSyntaxUID = transfer_syntax
        ds.PixelData = encapsulate([stream])
        ds["PixelData"].is_undefined_length = True
    return ds


def cine(frames: NDArray[np.uint8], **attributes: Any) -> FileDataset:
    """Return an ultrasound loop with one calibrated tissue region (0.05 cm across, 0.04 cm down)."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.05, 0.04
    attributes.setdefault("SequenceOfUltrasoundRegions", Sequence([region]))
    return dataset("US", frames, SOPClassUID=UltrasoundMultiFrameImageStorage, **attributes)


def enhanced_mr(frames: NDArray[np.uint16], slopes: list[float], echoes: list[float]) -> FileDataset:
    """Return an enhanced MR object with per-frame positions (descending), rescale and echo times."""
    ds = dataset("MR", frames, SOPClassUID=EnhancedMRImageStorage)
    del ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.PixelSpacing
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, orientation.ImageOrientationPatient = [0.5, 0.5], [0, 1, 0, 0, 0, -1]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for number, (slope, echo) in enumerate(zip(slopes, echoes, strict=True)):
        group, place, rescale, timing = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [-4.0 * (number % 2) if len(set(echoes)) > 1 else -4.0 * number, 0, 0]
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, 0, "US"
        timing.EffectiveEchoTime = echo
        group.PlanePositionSequence = Sequence([place])
        group.PixelValueTransformationSequence = Sequence([rescale])
        group.MREchoSequence = Sequence([timing])
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return ds


def deflate_bomb(path: Path, inflated: int = 64 << 20) -> Path:
    """Write a deflated object whose data set inflates to so many zero bytes."""
    header = dataset("CT", head_ct())
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    element = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, inflated)
    # In pieces, so that the peak of memory that a test measures is not our own.
    pieces = [squeezer.compress(element), *(squeezer.compress(bytes(1 << 20)) for _ in range(inflated >> 20))]
    body = b"".join(pieces) + squeezer.flush()
    save(header, path)
    whole = path.read_bytes()
    end = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
    path.write_bytes(whole[:end] + body)
    return path


def nested_sequences(path: Path, depth: int) -> Path:
    """Write a CT header whose private-looking sequence holds itself `depth` times."""
    save(dataset("CT", head_ct()), path)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + item
    closing = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    whole = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
    path.write_bytes(whole[:start] + opening * depth + closing * depth + whole[start:])
    return path


def huge_rle(path: Path) -> Path:
    """Write a few kilobytes that claim to be a 65,535 x 65,535 RLE image."""
    ds = dataset("CT", head_ct())
    ds.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    ds.Rows = ds.Columns = 65535
    return save(ds, path)


def read_all(root: Path, **options: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the cases and the reports by path of a folder, read in this process."""
    from inference.data.dicom import FileReport, SeriesImage, read_folder

    events = list(read_folder(root, **options))
    reports = [event for event in events if isinstance(event, FileReport)]
    assert len({report.index for report in reports}) == len(reports)
    return [event for event in events if isinstance(event, SeriesImage)], {r.path: r for r in reports}


def physical(case: Any) -> NDArray[np.float64]:
    """Return a case's values in its unit."""
    return case.intercept + case.slope * case.pixels.astype(np.float64)
