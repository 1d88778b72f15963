"""Reader of fastMRI HDF5 volumes and the coil algebra that makes one complex image of several coils.

The layout is that of the public set (Zbontar et al. 2018, arXiv 1811.08839; Knoll et al. 2020,
doi 10.1148/ryai.2020190007): a dataset ``kspace``, (slices, rows, cols) for a single coil or (slices, coils, rows,
cols), rows being the readout and cols the phase encoding; ``reconstruction_rss`` and, single coil only,
``reconstruction_esc``; the ISMRMRD header as XML in ``ismrmrd_header``; the attributes ``acquisition``,
``patient_id``, ``max`` and ``norm``. Test files carry ``mask`` (cols,) and no reconstruction.

Files are untrusted: links, virtual and external datasets are not followed, sizes are checked before anything is
read, and whatever the HDF5 library says of a damaged file becomes one sentence. Transforms are those of
`inference.physics.mri`: centred and orthonormal. The files say nothing of the patient's orientation.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from inference.data.dicom_types import RefusalError
from inference.physics import mri

MAX_BYTES = 8 << 30  # of one dataset once it is unpacked
MAX_RATIO = 200  # unpacked to packed; noise of real k-space hardly packs at all
MAX_HEADER_BYTES = 1 << 20
CALIBRATION = 24  # lines around the zero frequency from which coil sensitivities are taken
DAMAGED = "The file is not a readable HDF5 file, or is cut off: copy it again from its source."
NEEDS_H5PY = "Reading fastMRI files needs h5py: install it with pip install 'readerstudy[fastmri]'."
FOREIGN_GRID = "the header's reconstruction grid differs from that of the k-space, whose pixel spacing is given"
OUTSIDE_MASK = "k-space outside the file's sampling mask was set to zero"


class MissingPackageError(ImportError):
    """What an optional extra would have installed is not there; the message says how to get it."""


@dataclass(frozen=True)
class KSpaceVolume:
    """One volume of measured k-space.

    k_space: complex64 (slices, coils, rows, cols), zero frequency at rows // 2, cols // 2; one coil for a single coil.
    lines: first measured column and the one after the last; columns outside are the scanner's zero padding.
    mask: bool (cols,), True where a line was measured, or None where the file is fully sampled.
    acceleration: lines of the k-space per measured line of the mask, 1.0 where the file is fully sampled.
    header_acceleration: what the header says the scanner did along the phase encoding, None where it is silent.
    pixel_spacing: (row, column) mm of the image of the whole k-space; cropping does not change it.
    target: rows and cols of the centre crop that the public set reconstructs (see `crop_image`).
    reconstruction_rss, reconstruction_esc: float32 (slices, *target) of the file, None where it has none.
    maximum, norm: of the file's own reconstruction, None in test files.
    patient_key: the raw identifier, to be keyed-hashed by the caller and thrown away.
    """

    k_space: NDArray[np.complex64]
    coils: int
    lines: tuple[int, int]
    mask: NDArray[np.bool_] | None
    acceleration: float
    header_acceleration: float | None
    pixel_spacing: tuple[float, float]
    slice_thickness: float | None
    target: tuple[int, int]
    reconstruction_rss: NDArray[np.float32] | None
    reconstruction_esc: NDArray[np.float32] | None
    maximum: float | None
    norm: float | None
    acquisition: str
    patient_key: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Header:
    """What is used of the ISMRMRD header: mm and counts along x (readout, rows) and y (phase encoding, cols)."""

    encoded_fov: tuple[float, float]
    recon_matrix: tuple[int, int]
    recon_fov: tuple[float, float]
    slice_thickness: float | None
    acceleration: float | None


def read_fastmri(path: Path) -> KSpaceVolume:
    """Read one volume whole.

    Raises FileNotFoundError where there is no file, MissingPackageError without h5py and ValueError, always one
    sentence, for a file that is not such a volume.
    """
    try:
        import h5py  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingPackageError(NEEDS_H5PY) from error
    if not path.is_file():
        raise FileNotFoundError(f"There is no file at {path}: give one fastMRI file (.h5).")
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            return _volume(file, min(MAX_BYTES, MAX_RATIO * path.stat().st_size))
    except RefusalError as refusal:
        raise ValueError(str(refusal)) from None
    except MemoryError:
        raise ValueError("The volume needs more memory than is free: read it on a larger machine.") from None
    except Exception:  # the HDF5 library raises many types on damaged bytes, and its words help nobody
        raise ValueError(DAMAGED) from None


def _volume(file: Any, limit: int) -> KSpaceVolume:
    header = _parse_header(_header_text(file))
    k_space = _k_space(_dataset(file, "kspace", limit))
    rows, cols = k_space.shape[2:]
    mask = _mask(file, cols, limit)
    notes = []
    if mask is not None and k_space[..., ~mask].any():
        k_space[..., ~mask] = 0
        notes.append(OUTSIDE_MASK)
    rss, esc = (_images(file, f"reconstruction_{kind}", len(k_space), limit) for kind in ("rss", "esc"))
    known = next((images for images in (rss, esc) if images is not None), None)
    spacing = (header.encoded_fov[0] / rows, header.encoded_fov[1] / cols)
    recon = [fov / count for fov, count in zip(header.recon_fov, header.recon_matrix, strict=True)]
    if any(abs(theirs / ours - 1) > 0.01 for theirs, ours in zip(recon, spacing, strict=True)):
        notes.append(FOREIGN_GRID)
    patient = _attribute(file, "patient_id")
    if not patient:
        raise RefusalError("The file names no patient (attribute patient_id): add it, since data is split by patient.")
    return KSpaceVolume(
        k_space=k_space,
        coils=k_space.shape[1],
        lines=_measured_lines(k_space),
        mask=mask,
        acceleration=1.0 if mask is None else mask.size / int(mask.sum()),
        header_acceleration=header.acceleration,
        pixel_spacing=spacing,
        slice_thickness=header.slice_thickness,
        target=_target(header, (rows, cols)) if known is None else (known.shape[1], known.shape[2]),
        reconstruction_rss=rss,
        reconstruction_esc=esc,
        maximum=_number(_attribute(file, "max")),
        norm=_number(_attribute(file, "norm")),
        acquisition=_attribute(file, "acquisition"),
        patient_key=patient,
        notes=tuple(notes),
    )


def _has(file: Any, name: str) -> bool:
    # Asking for the link opens nothing; ``in`` would follow it to whatever file or device it names.
    return file.get(name, getlink=True) is not None


def _dataset(file: Any, name: str, limit: int) -> Any:
    """Return a dataset stored in this very file that claims at most ``limit`` bytes; RefusalError otherwise."""
    import h5py

    if not _has(file, name):
        raise RefusalError(f"The file has no dataset {name}: give a volume in the format of the fastMRI set.")
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise RefusalError(f"The dataset {name} is a link to another place: copy the data into the file itself.")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise RefusalError(f"The dataset {name} is not stored in the file: copy the data into the file itself.")
    claimed = math.prod(found.shape or (0,)) * found.dtype.itemsize
    if claimed > limit:
        raise RefusalError(f"The dataset {name} claims far more data than the file can hold: copy the file again.")
    return found


def _k_space(found: Any) -> NDArray[np.complex64]:
    if found.dtype.kind != "c":
        raise RefusalError("The dataset kspace holds no complex numbers: give the raw k-space, not images.")
    if found.ndim not in (3, 4) or min(found.shape) < 1 or min(found.shape[-2:]) < 16:
        raise RefusalError("The dataset kspace has neither 3 axes (slices, rows, cols) nor 4 with coils: export it so.")
    coils = found.shape[1] if found.ndim == 4 else 1
    k_space = np.empty((found.shape[0], coils, *found.shape[-2:]), np.complex64)
    for number in range(len(k_space)):
        k_space[number] = found[number]
        if not np.isfinite(k_space[number]).all():
            raise RefusalError(f"Slice {number} of the k-space holds values that are not numbers: copy the file again.")
    if not k_space.any():
        raise RefusalError("The k-space holds nothing but zeros: copy the file again.")
    return k_space


def _images(file: Any, name: str, slices: int, limit: int) -> NDArray[np.float32] | None:
    if not _has(file, name):
        return None
    found = _dataset(file, name, limit)
    if found.ndim != 3 or len(found) != slices or found.dtype.kind != "f":
        raise RefusalError(f"The dataset {name} does not hold one real image per slice: copy the file again.")
    images = np.asarray(found[()], np.float32)
    if not np.isfinite(images).all():
        raise RefusalError(f"The dataset {name} holds values that are not numbers: copy the file again.")
    return images


def _mask(file: Any, cols: int, limit: int) -> NDArray[np.bool_] | None:
    if not _has(file, "mask"):
        return None
    values = np.asarray(_dataset(file, "mask", limit)[()]).reshape(-1)
    if values.size != cols or values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all() or not values.any():
        raise RefusalError("The sampling mask has no 0 or 1 for every column of the k-space: copy the file again.")
    return values.astype(np.bool_)


def _measured_lines(k_space: NDArray[np.complex64]) -> tuple[int, int]:
    measured = np.flatnonzero(k_space.any(axis=(0, 1, 2)))
    return int(measured[0]), int(measured[-1]) + 1


def _target(header: _Header, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the crop of the header, or the largest square where the k-space has fewer columns than that."""
    rows, cols = header.recon_matrix
    if cols > shape[1]:
        rows = cols = shape[1]
    return min(rows, shape[0]), cols


def _attribute(file: Any, name: str) -> str:
    value = file.attrs.get(name, "")
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _header_text(file: Any) -> str:
    found = _dataset(file, "ismrmrd_header", MAX_HEADER_BYTES)
    value = found[()] if found.shape == () else None
    if not isinstance(value, (bytes, str)) or len(value) > MAX_HEADER_BYTES:
        raise RefusalError("The dataset ismrmrd_header is not the text of an ISMRMRD header: copy the file again.")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _parse_header(text: str) -> _Header:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can grow without end, and no such header has any
        raise RefusalError("The ISMRMRD header declares a document type: remove the declaration.")
    try:
        encoding = ElementTree.fromstring(text).find("{*}encoding")
    except ElementTree.ParseError:
        raise RefusalError("The ISMRMRD header is not well-formed XML: copy the file again.") from None
    if encoding is None:
        raise RefusalError("The ISMRMRD header describes no encoding: copy the file again.")
    trajectory = (encoding.findtext("{*}trajectory") or "").strip().lower()
    if trajectory != "cartesian":
        raise RefusalError("The ISMRMRD header names a trajectory that is not cartesian: give a cartesian scan.")
    matrix, fov = "{*}reconSpace/{*}matrixSize", "{*}fieldOfView_mm"
    acceleration = encoding.findtext("{*}parallelImaging/{*}accelerationFactor/{*}kspace_encoding_step_1")
    return _Header(
        encoded_fov=_pair(encoding, f"{{*}}encodedSpace/{fov}"),
        recon_matrix=(round(_pair(encoding, matrix)[0]), round(_pair(encoding, matrix)[1])),
        recon_fov=_pair(encoding, f"{{*}}reconSpace/{fov}"),
        slice_thickness=_number(encoding.findtext(f"{{*}}reconSpace/{fov}/{{*}}z") or ""),
        acceleration=_number(acceleration or ""),
    )


def _pair(encoding: ElementTree.Element, path: str) -> tuple[float, float]:
    x, y = (_number(encoding.findtext(f"{path}/{{*}}{axis}") or "") for axis in "xy")
    if x is None or y is None or min(x, y) <= 0 or max(x, y) > 1e4:
        raise RefusalError("The ISMRMRD header lacks matrix sizes or fields of view: copy the file again.")
    return x, y


def crop_image(image: NDArray[Any], target: tuple[int, int]) -> NDArray[Any]:
    """Cut the centre (target rows, cols) out of the last two axes, as the public set does.

    Where the difference is odd the smaller half is cut off first. Raises ValueError for a target larger than the image.
    """
    rows, cols = image.shape[-2:]
    if not (0 < target[0] <= rows and 0 < target[1] <= cols):
        raise ValueError(f"A crop of {target[0]} x {target[1]} does not fit into {rows} x {cols}: give a smaller one.")
    top, left = (rows - target[0]) // 2, (cols - target[1]) // 2
    return image[..., top : top + target[0], left : left + target[1]]


def crop_readout(k_space: NDArray[np.complex64], rows: int) -> NDArray[np.complex64]:
    """Remove readout oversampling: k-space (..., rows, cols) of the image's middle ``rows``.

    The readout is always measured whole, so that this mixes no phase-encoding lines: it commutes with every
    undersampling of the columns, and unmeasured columns stay zero. The columns cannot be cropped so.
    """
    # One axis only, so that unmeasured columns stay exactly zero.
    lines = fft.fftshift(fft.ifft(fft.ifftshift(k_space, axes=-2), axis=-2, norm="ortho"), axes=-2)
    image = crop_image(lines, (rows, k_space.shape[-1]))
    cropped = fft.fftshift(fft.fft(fft.ifftshift(image, axes=-2), axis=-2, norm="ortho"), axes=-2)
    return np.asarray(cropped, np.complex64)


def root_sum_of_squares(k_space: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Magnitude float32 (rows, cols) of k-space (coils, rows, cols) (Roemer et al. 1990, 10.1002/mrm.1910160203)."""
    images = _coil_images(k_space)
    return np.asarray(np.sqrt((images.real**2 + images.imag**2).sum(axis=0)), np.float32)


def sensitivity_maps(k_space: NDArray[np.complex64], calibration: int = CALIBRATION) -> NDArray[np.complex64]:
    """Low-resolution coil sensitivities, complex64 (coils, rows, cols), sum of squared magnitudes 1.

    From ``calibration`` lines around the zero frequency along both axes, Hann windowed, divided by their root sum of
    squares (McKenzie et al. 2002, 10.1002/mrm.10087). The common phase is that of the virtual coil which explains most
    of the calibration (Buehrer et al. 2007, 10.1002/mrm.21237), so that the object's phase stays in the image.
    """
    _check_coils(k_space)
    window = np.ones((1, 1), np.float32)
    for axis, size in enumerate(k_space.shape[1:]):
        width = min(calibration, size)
        taper = np.zeros(size, np.float32)
        taper[size // 2 - width // 2 :][:width] = np.hanning(width + 2)[1:-1]
        window = window * (taper[:, None] if axis == 0 else taper[None, :])
    centre = (k_space * window).astype(np.complex64)
    low = _coil_images(centre)
    flat = centre.reshape(len(centre), -1)
    weights = np.linalg.eigh((flat @ flat.conj().T).astype(np.complex128))[1][:, -1]
    # An eigenvector's phase is arbitrary: the strongest coil's is taken, the same on every machine.
    virtual = np.tensordot(weights.conj() * np.exp(1j * np.angle(weights[np.abs(weights).argmax()])), low, axes=1)
    total = np.sqrt((np.abs(low) ** 2).sum(axis=0))
    floor = max(1e-6 * float(total.max()), float(np.finfo(np.float32).tiny))
    return np.asarray(low * np.exp(-1j * np.angle(virtual)) / np.maximum(total, floor), np.complex64)


def combine_coils(k_space: NDArray[np.complex64], maps: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """k-space (rows, cols) of the sum over coils of conj(map) x coil image; linear, adjoint to `expand_coils`.

    The combination after Pruessmann et al. 1999 (SENSE, 10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S)
    without noise correlation between coils.
    """
    _check_coils(k_space)
    if k_space.shape != maps.shape:
        raise ValueError("Coil maps and k-space differ in shape: make the maps from k-space of the same slice.")
    return mri.to_k_space((maps.conj() * _coil_images(k_space)).sum(axis=0).astype(np.complex64))


def expand_coils(k_space: NDArray[np.complex64], maps: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """k-space (coils, rows, cols) that coils with these maps would measure of a single-coil k-space (rows, cols)."""
    image = mri.to_image(k_space)
    return np.stack([mri.to_k_space((one * image).astype(np.complex64)) for one in maps])


def single_coil(k_space: NDArray[np.complex64], maps: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
    """k-space (rows, cols) of one emulated coil, from k-space (coils, rows, cols) of one fully sampled slice.

    For given maps it is linear in the data (`combine_coils`); by default the maps come from the same data. One coil is
    returned as it is. Its magnitude is close to `root_sum_of_squares`, with less noise where there is no signal. On
    undersampled data it spreads the measured lines over missing ones: the file's mask holds no longer.
    """
    _check_coils(k_space)
    if len(k_space) == 1:
        return np.asarray(k_space[0], np.complex64)
    return combine_coils(k_space, sensitivity_maps(k_space) if maps is None else maps)


def _check_coils(k_space: NDArray[np.complex64]) -> None:
    if k_space.ndim != 3:
        raise ValueError(f"A slice is (coils, rows, cols), not {k_space.ndim} axes: pass one slice at a time.")


def _coil_images(k_space: NDArray[np.complex64]) -> NDArray[np.complex64]:
    _check_coils(k_space)
    return np.stack([mri.to_image(coil) for coil in k_space])
