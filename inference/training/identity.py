"""What makes a training the same one, so that a checkpoint is only gone on with by the training it belongs to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from inference.data.pool import PoolSlice
from inference.data.split import Split
from inference.physics.degrade import physics_version
from inference.training.pairs import VARIATION
from inference.training.presets import Preset

WORDS = {
    "method": "method",
    "preset": "preset",
    "settings": "settings (--steps, --batch, --matrix or what the preset says)",
    "seed": "seed",
    "pool": "pool or split of its patients",
    "start": "weights to begin with (--start)",
}


def identity(method: str, preset_name: str, settings: Preset, seed: int, pool: str, start: str = "") -> dict[str, str]:
    """All that a checkpoint must share with the training that goes on from it.

    ``pool``: the digest of the pool; ``start``: the SHA-256 of the weights to begin with.
    """
    stated = json.dumps(asdict(settings), sort_keys=True)
    return dict(zip(WORDS, (method, preset_name, stated, str(seed), pool, start), strict=True))


def pool_digest(slices: Iterable[PoolSlice], split: Split) -> str:
    """SHA-256 of a pool's slices, of whose they are, of the split, and of what is done to them."""
    rows = sorted([s.path.name, s.modality, s.patient, s.display_only] for s in slices)
    stated = json.dumps([physics_version, VARIATION, rows, split.as_json()])
    return hashlib.sha256(stated.encode()).hexdigest()


def require_same(last: Path, now: Mapping[str, str]) -> None:
    """ValueError where the checkpoint ``last`` belongs to another training; none is there: nothing to say."""
    if not last.is_file():
        return
    kept = torch.load(last, map_location="cpu", weights_only=True, mmap=True).get("identity", {})
    other = [word for key, word in WORDS.items() if kept.get(key) != now[key]]
    if other:
        raise ValueError(
            f"{last} belongs to a training with another {', '.join(other)}: "
            "run the command of that training to go on with it, or give another folder with --out to begin anew."
        )
