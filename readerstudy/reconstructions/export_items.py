"""What one slice becomes in an export: derived DICOM, its raw data where there are some, its entry of the manifest."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from django.utils.crypto import salted_hmac
from numpy.typing import NDArray

from inference.data.grid import from_stored, to_stored
from inference.physics import ct
from readerstudy.cases import store
from readerstudy.cases.models import Case, Slice
from readerstudy.reconstructions import uncertainty
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.reconstructions.queries import level_title

if TYPE_CHECKING:
    from inference.data.derived import DerivedSlice

Item = tuple[dict[str, bytes], dict[str, Any]]


def series_uid(measurement: Measurement) -> str:
    """The series of a measurement's degraded inputs; a slice's own UID adds its number to it."""
    return _uid(f"measurement:{measurement.case.key}:{measurement.level}:{measurement.physics}")


def instance_uid(series: str, index: int) -> str:
    return f"{series}.{index + 1}"


def input_item(measurement: Measurement, row: Slice) -> Item:
    """The degraded slice as DICOM, its raw data where the modality has some, and its entry of the manifest."""
    from inference.physics.degrade import degrade

    case, level = measurement.case, measurement.level
    assert level is not None
    reference = _values(case, row.pixels)
    seed = measurement.seed + row.index
    degraded = degrade(
        reference, case.modality, level, seed=seed, pixel_spacing=case.pixel_spacing, data_range=case.data_range,
        already_noisy=case.already_noisy,
    )  # fmt: skip
    stored = to_stored(degraded.degraded, reference, case.modality, case.slope, case.intercept)
    arrays: dict[str, NDArray[Any]] = {}
    if degraded.k_space is not None and degraded.mask is not None:
        arrays = {"k_space": degraded.k_space, "mask": degraded.mask}
    elif case.modality == "CT":
        arrays = sinogram(reference, level, seed, case.pixel_spacing, case.already_noisy)
    name = f"{case.pseudonym}/{_level_word(level)}/slice-{row.index + 1:04d}"
    how = degraded.parameters.get("k_space") or degraded.parameters.get("noise") or "low dose simulated"
    part = _derived(
        measurement, row, stored, series_uid(measurement), f"Degraded input, {level_title(level, case.modality)}",
        f"Degraded to {level_title(level, case.modality)}: {how}", "",
    )  # fmt: skip
    files, entry = _entry(part, name, measurement, row)
    if arrays:
        suffix, content = raw_file(arrays)
        files[name + suffix] = content
        entry["raw"] = {"file": name + suffix, "sha256": _sha256(content), "arrays": sorted(arrays)}
    return files, {**entry, "parameters": _plain(degraded.parameters)}


def reconstruction_item(run: Run, row: Reconstruction) -> Item:
    measurement, case = run.measurement, run.measurement.case
    stored = store.get_slice(row.pixels, case.rows, case.columns)
    series = _uid(f"run:{run.pk}")
    folder = f"{case.pseudonym}/{_level_word(measurement.level)}/{run.method}-{str(run.pk)[:8]}"
    name = f"{folder}/slice-{row.slice.index + 1:04d}"
    source = "" if measurement.level is None else instance_uid(series_uid(measurement), row.slice.index)
    title = level_title(measurement.level, case.modality)
    part = _derived(
        measurement, row.slice, stored, series, f"{run.method} {run.version}, {title}",
        f"Reconstruction by {run.method} {run.version} from {title}", source,
    )  # fmt: skip
    files, entry = _entry(part, name, measurement, row.slice)
    made_by = {
        "run": str(run.pk), "method": run.method, "version": run.version, "settings": run.settings,
        "weights_sha256": run.weights_hash, "imported": run.imported, "pixels_sha256": row.pixels,
        "source_sop_instance_uid": source, "psnr": row.psnr, "ssim": row.ssim, "nmse": row.nmse,
        "device": run.device, "precision": run.precision, "sampler": run.sampler, "network_calls": run.network_calls,
        "latency_ms": row.latency_ms, "batch_size": row.batch_size, "peak_memory_mib": run.peak_memory_mib,
    }  # fmt: skip
    if row.uncertainty:
        added, made_by["uncertainty"] = _uncertainty(run, row, f"{name}-standard-deviation")
        files |= added
    return files, {**entry, **made_by}


def _uncertainty(run: Run, row: Reconstruction, name: str) -> Item:
    """The SD map as an array beside the image, no DICOM: nobody shall take it for an image of the patient."""
    case = run.measurement.case
    suffix, content = raw_file({
        "standard_deviation": uncertainty.read_map(row, case), "step": np.asarray(row.uncertainty_step),
    })  # fmt: skip
    return {name + suffix: content}, {
        "file": name + suffix, "sha256": _sha256(content), "what": uncertainty.ESTIMATOR,
        "samples": uncertainty.samples_of(run), "unit": uncertainty.UNITS[case.modality],
        "step": row.uncertainty_step, "stored_sha256": row.uncertainty,
    }  # fmt: skip


def _derived(
    measurement: Measurement,
    row: Slice,
    stored: NDArray[np.uint16],
    series: str,
    title: str,
    derivation: str,
    source: str,
) -> DerivedSlice:
    from inference.data.derived import DerivedSlice, Identity

    case = measurement.case
    study = _uid(f"study:{case.key}")
    return DerivedSlice(
        pixels=stored,
        modality=case.modality,
        slope=case.slope,
        intercept=case.intercept,
        patient=case.patient.pseudonym,
        number=row.index + 1,
        spacing=case.pixel_spacing,
        slice_spacing=case.slice_spacing,
        position=row.position,
        plane=case.plane,
        window=(row.window_center, row.window_width),
        title=title,
        derivation=derivation,
        identity=Identity(study, series, instance_uid(series, row.index), _uid(f"frame:{case.key}"), source),
    )


def _entry(part: DerivedSlice, name: str, measurement: Measurement, row: Slice) -> Item:
    from inference.data.derived import derived_file

    content, case = derived_file(part), measurement.case
    return {f"{name}.dcm": content}, {
        "case": case.pseudonym, "patient": case.patient.pseudonym, "modality": case.modality, "slice": row.index + 1,
        "level": measurement.level, "physics": measurement.physics, "file": f"{name}.dcm",
        "sop_instance_uid": part.identity.instance, "series_instance_uid": part.identity.series,
        "sha256": _sha256(content),
    }  # fmt: skip


def sinogram(
    reference: NDArray[np.float32], level: float, seed: int, spacing: tuple[float, float] | None, already_noisy: bool
) -> dict[str, NDArray[Any]]:
    """The noisy line integrals that the degraded CT slice was reconstructed from, and their geometry."""
    shape = (reference.shape[0], reference.shape[1])
    mm = spacing or ct.assumed_spacing(shape)
    geometry = ct.geometry_for(shape, mm)
    lines = ct.fine_projections(ct.attenuation(reference), mm, geometry)
    photons = ct.PHOTONS_PER_MM * geometry.detector_spacing
    noisy = ct.low_dose(lines, level, photons, np.random.default_rng(seed), already_noisy=already_noisy)
    return {
        "sinogram": noisy.astype(np.float32),
        "angles_rad": geometry.angles,
        "detector_spacing_mm": np.asarray(geometry.detector_spacing),
        "pixel_spacing_mm": np.asarray(mm),
    }


def raw_file(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, bytes]:
    """Arrays as HDF5 where h5py is installed, else as NPZ: the file's ending and its bytes."""
    stream = io.BytesIO()
    try:
        import h5py
    except ImportError:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # the stub takes the names for options
        return ".npz", stream.getvalue()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return ".h5", stream.getvalue()


def _values(case: Case, name: str) -> NDArray[np.float32]:
    return from_stored(store.get_slice(name, case.rows, case.columns), case.slope, case.intercept)


def _level_word(level: float | None) -> str:
    return "as-acquired" if level is None else f"level{level:g}"


def _uid(name: str) -> str:
    from inference.data.deidentify import new_uid

    return new_uid(salted_hmac("readerstudy.reconstructions.uid", "", algorithm="sha256").digest(), name)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value
