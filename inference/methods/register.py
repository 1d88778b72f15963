"""The register of methods: key, title, dotted path, weights and settings. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True)
class MethodEntry:
    """One method: ``path`` is ``module:Class``; ``limits`` holds choices or (low, high) per setting."""

    key: str
    title: str
    path: str
    weights: str | None = None
    queue: str = "cpu"
    settings: Mapping[str, object] = field(default_factory=dict)
    needs_reference: bool = False
    limits: Mapping[str, list[str] | tuple[float, float]] = field(default_factory=dict)


_CONSISTENT: dict[str, object] = {"data_consistency": True}
_DIFFUSION: dict[str, object] = {
    "sampler": "dpm-solver++",
    "steps": 10,
    "guidance": 1.0,  # 2.0 is the paper's; the cards print both
    "guidance_low": 0,
    "guidance_high": 1000,
    "start": 1000,
    "samples": 1,
    **_CONSISTENT,
}
_DIFFUSION_LIMITS: dict[str, list[str] | tuple[float, float]] = {
    "sampler": ["ddpm", "ddim", "dpm-solver++"],
    "steps": (1, 1000),
    "guidance": (0.0, 10.0),
    "guidance_low": (0, 1000),
    "guidance_high": (0, 1000),
    "start": (1, 1000),
    "samples": (1, 64),
}
_TV: dict[str, object] = {
    "rule": "validation",
    "data_term": "image",  # of CT: the back-projected image, or the projections it was made from
    "iterations": 200,
    "gap": 1e-3,  # duality gap over energy, the stop in every modality; 1e-2 takes a third of the time on projections
}
_TV_LIMITS: dict[str, list[str] | tuple[float, float]] = {
    "rule": ["validation", "paper"],
    "data_term": ["image", "projections"],
    "iterations": (1, 10000),
    "gap": (0.0, 1.0),
}

# fmt: off
_ENTRIES = (
    MethodEntry("reference", "Reference", "inference.methods.reference:Reference", needs_reference=True),
    MethodEntry("degraded", "Degraded input", "inference.methods.degraded:Degraded"),
    MethodEntry("tv_recon", "TV-Recon", "inference.methods.tv_recon:TVRecon",
                settings=_TV, limits=_TV_LIMITS),
    MethodEntry("pix2pix", "Pix2Pix", "inference.methods.pix2pix:Pix2Pix", "pix2pix.safetensors",
                settings=_CONSISTENT),
    MethodEntry("restormer", "Restormer", "inference.methods.restormer:RestormerMethod",
                "restormer.safetensors", settings=_CONSISTENT),
    MethodEntry("diffusion_unet", "Diffusion-UNet", "inference.methods.diffusion_unet:DiffusionUNetMethod",
                "diffusion_unet.safetensors", settings=_DIFFUSION, limits=_DIFFUSION_LIMITS),
)
# fmt: on
METHODS: dict[str, MethodEntry] = {entry.key: entry for entry in _ENTRIES}


def unknown_method(key: str) -> ValueError:
    return ValueError(f"There is no method {key!r}: choose one of {', '.join(METHODS)}.")


def _entry(key: str) -> MethodEntry:
    if key not in METHODS:
        raise unknown_method(key)
    return METHODS[key]


def validate_settings(key: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Settings with defaults filled in; ValueError for an unknown name, type or value."""
    entry = _entry(key)
    result = dict(entry.settings)
    for name, value in settings.items():
        if name not in result:
            known = ", ".join(result) or "none"
            raise ValueError(f"{entry.title} has no setting {name!r}: its settings are {known}.")
        result[name] = _checked(entry, name, value)
    return result


def needs_projections(key: str, settings: Mapping[str, object]) -> bool:
    """Whether a run starts from CT's line integrals, which ``degrade`` keeps only where told to."""
    return validate_settings(key, settings).get("data_term") == "projections"


def _checked(entry: MethodEntry, name: str, value: object) -> object:
    default = entry.settings[name]
    if isinstance(default, bool) or isinstance(value, bool):
        if not (isinstance(default, bool) and isinstance(value, bool)):
            raise ValueError(f"{entry.title}: set {name} to {_kind(default)}, not {value!r}.")
        return value
    if isinstance(default, float) and isinstance(value, int):
        value = float(value)
    if not isinstance(value, type(default)):
        raise ValueError(f"{entry.title}: set {name} to {_kind(default)}, not {value!r}.")
    limit = entry.limits.get(name)
    if isinstance(limit, list) and value not in limit:
        raise ValueError(f"{entry.title}: {name} must be one of {', '.join(limit)}, not {value!r}.")
    if isinstance(limit, tuple) and isinstance(value, int | float) and not limit[0] <= value <= limit[1]:
        raise ValueError(f"{entry.title}: {name} must be between {limit[0]:g} and {limit[1]:g}, not {value!r}.")
    return value


def _kind(default: object) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return kinds.get(type(default), type(default).__name__)


def weights_path(key: str) -> Path | None:
    """The weights file of a method, None where it has none."""
    name = _entry(key).weights
    return None if name is None else WEIGHTS / name


@lru_cache(maxsize=64)
def _file_sha256(path: Path, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, computed once per modification."""
    return _file_sha256(path, path.stat().st_mtime_ns)


def weights_sha256(key: str) -> str:
    """SHA-256 of the weights file, "" where a method has none."""
    path = weights_path(key)
    return "" if path is None else file_sha256(path)


def weights_trouble(key: str) -> str:
    """Why a method can't be used on this installation, in one sentence; "" where it has what it needs."""
    path = weights_path(key)
    if path is None:
        return ""
    if not path.is_file():
        return f"{_entry(key).title} has no weights here: copy {path.name} and its card into {path.parent.name}."
    try:
        card_patients(path)
    except FileNotFoundError as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError):
        card = path.with_suffix(".json").name
        return f"The card {card} of {_entry(key).title} can't be read: make it again with `python -m inference card`."
    return ""


def training_patients(key: str) -> frozenset[str]:
    """Source ids of every patient the weights were trained or selected on, from the machine-readable card."""
    path = weights_path(key)
    return frozenset() if path is None else card_patients(path)


def card_patients(weights: Path) -> frozenset[str]:
    """Source ids of the training and validation patients in the card beside a weights file."""
    path = weights.with_suffix(".json")
    if not path.is_file():
        raise FileNotFoundError(
            f"{weights.name} has no card {path.name} beside it, so nobody knows whom it was trained on: "
            "make it with `python -m inference card`."
        )
    card = json.loads(path.read_text())
    return frozenset(card["training_patients"]) | frozenset(card["validation_patients"])
