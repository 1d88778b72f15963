"""Second pass over a file: decode its frames one at a time into plain grey values."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut

from inference.data import dicom_headers as headers
from inference.data.dicom_jpeg_lossless import decode_jpeg_lossless
from inference.data.dicom_refusals import JPEG_LOSSLESS, UNCOMPRESSED
from inference.data.dicom_types import RefusalError

UNDECODABLE = "The compressed pixel data cannot be decoded: export the file uncompressed, or copy it again."
DOPPLER = "Doppler colour is laid over the image: export the grey B-mode images."
LUMA_NOTE = "colour ultrasound reduced to luma"

# Saturated pixels (largest minus smallest of R, G, B): marks and logos stay under one percent of a frame.
CHROMA_LEVEL = 64
CHROMA_SHARE = 0.01


def decode_frames(
    path: Path, header: headers.Header, wanted: Sequence[int]
) -> Iterator[tuple[NDArray[np.int32], tuple[str, ...]]]:
    """Yield the (rows, cols) stored values of the wanted frames (ascending), sign and unused bits resolved.

    Colour is reduced to luma. The second item holds notes that only the pixels can tell. Raises RefusalError.
    """
    try:
        ds = pydicom.dcmread(path)
        if "PixelData" not in ds:
            raise RefusalError("The file holds no pixel data: export the image series with its pixels.")
        _check_length(ds, header)
        count = 0
        for decoded in _decode(ds, header, wanted):
            count += 1
            if decoded.shape[:2] != (header.rows, header.cols):
                raise RefusalError(UNDECODABLE)
            yield _grey(ds, decoded, header)
        if count != len(wanted):
            raise RefusalError(headers.TRUNCATED)
    except RefusalError:
        raise
    except MemoryError as error:
        raise RefusalError(headers.NO_MEMORY) from error
    except RecursionError as error:
        raise RefusalError(headers.TOO_DEEP) from error
    except Exception as error:  # decoders raise many types on damaged streams; one file must not stop the import
        raise RefusalError(UNDECODABLE) from error


def _check_length(ds: Dataset, header: headers.Header) -> None:
    if header.transfer_syntax not in UNCOMPRESSED:
        return
    samples = header.rows * header.cols * len(header.frames) * headers.stored_samples(ds)
    if len(ds.PixelData) < samples * int(ds.BitsAllocated) // 8:
        raise RefusalError(headers.TRUNCATED)


def _decode(ds: Dataset, header: headers.Header, wanted: Sequence[int]) -> Iterator[NDArray[Any]]:
    if header.transfer_syntax in JPEG_LOSSLESS:
        frames = set(wanted)
        for number, stream in enumerate(generate_frames(ds.PixelData, number_of_frames=len(header.frames))):
            if number in frames:
                yield _decode_lossless(stream, ds)
        return
    decoder = get_decoder(header.transfer_syntax)
    try:
        for array, _ in decoder.iter_array(ds, indices=list(wanted)):
            yield array
    except (NotImplementedError, RuntimeError) as error:
        if header.transfer_syntax.startswith("1.2.840.10008.1.2.4.5") and int(ds.BitsStored) > 8:
            message = "JPEG with 12 bits cannot be decoded here: export uncompressed, or as JPEG-LS or JPEG 2000."
            raise RefusalError(message) from error
        raise


def _decode_lossless(stream: bytes, ds: Dataset) -> NDArray[Any]:
    """Return one lossless JPEG frame: by Pillow up to 8 bits or in colour, by our own decoder above."""
    if int(ds.BitsAllocated) == 8:
        with Image.open(io.BytesIO(stream)) as image:
            return np.asarray(image)
    values = decode_jpeg_lossless(stream)
    if int(ds.get("PixelRepresentation", 0)) == 1:
        return values.astype(np.uint16).view(np.int16)
    return values


def _grey(ds: Dataset, decoded: NDArray[Any], header: headers.Header) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        decoded = apply_color_lut(decoded, ds)
        if decoded.dtype == np.uint16:
            decoded = decoded >> 8
    if decoded.ndim == 3:
        if header.modality != "US":
            raise RefusalError("Colour image: export the grey images of the series.")
        return _luma(decoded, ds)
    values = _resolve_bits(decoded, ds)
    if header.modality == "US":
        values = _to_8_bits(values, ds)
    return values, ()


def _luma(rgb: NDArray[Any], ds: Dataset) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return BT.601 luma (0..255); refuse frames with more saturated colour than marks and logos have."""
    rgb = rgb[..., :3].astype(np.int32)
    if ds.get("PhotometricInterpretation") != "PALETTE COLOR" and int(ds.BitsStored) > 8:
        rgb >>= int(ds.BitsStored) - 8
    chroma = rgb.max(axis=2) - rgb.min(axis=2)
    if float(np.mean(chroma > CHROMA_LEVEL)) > CHROMA_SHARE:
        raise RefusalError(DOPPLER)
    luma = np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.int32)
    return luma, (LUMA_NOTE,) if chroma.max() > 0 else ()


def _resolve_bits(decoded: NDArray[Any], ds: Dataset) -> NDArray[np.int32]:
    """Drop bits above HighBit (retired overlays live there) and below, and extend the sign (PS3.5 8.1.1)."""
    stored, allocated = int(ds.BitsStored), int(ds.BitsAllocated)
    high = int(ds.get("HighBit", stored - 1))
    signed = int(ds.get("PixelRepresentation", 0)) == 1
    if not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise RefusalError("Bits stored, high bit and bits allocated contradict each other: export the file again.")
    values = decoded.astype(np.int32)
    if stored == allocated:
        return values
    values = (values >> (high + 1 - stored)) & ((1 << stored) - 1)
    if signed:
        sign = 1 << (stored - 1)
        values = (values ^ sign) - sign
    return values


def _to_8_bits(values: NDArray[np.int32], ds: Dataset) -> NDArray[np.int32]:
    stored = int(ds.BitsStored)
    if int(ds.get("PixelRepresentation", 0)) == 1:
        values = values + (1 << (stored - 1))
    return values >> (stored - 8) if stored > 8 else values
