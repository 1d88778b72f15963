"""The machine-readable model card: what was trained on whom, and the gain on held-out patients."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference.data.pool import PoolSlice, read_manifest
from inference.data.preprocessing import MODALITIES
from inference.data.split import Split, source_ids, split_pool
from inference.methods.acceleration import device_name, precision_on
from inference.methods.base import load_method
from inference.methods.checkpoints import load_into, read_weights
from inference.methods.register import file_sha256
from inference.metrics.features import Backbone, BackboneConfig, network_image
from inference.physics.degrade import PHYSICS_PARAMETERS, physics_version
from inference.training.card_text import card_markdown
from inference.training.evaluation import gains, restore
from inference.training.pairs import RatedCase, pool_label, rated_cases, rated_slices, training_slices
from inference.training.presets import AS_THEY_ARE, Matrix, preset

VARIANTS: dict[str, dict[str, dict[str, object]]] = {
    "pix2pix": {"default": {}, "without data consistency": {"data_consistency": False}},
    "restormer": {"default": {}, "without data consistency": {"data_consistency": False}},
    "diffusion_unet": {
        "10 steps, guidance 1": {"steps": 10, "guidance": 1.0},
        "20 steps, guidance 1": {"steps": 20, "guidance": 1.0},
        "20 steps, guidance 2": {"steps": 20, "guidance": 2.0},
    },
}
Progress = Callable[[int, int, str], None]


def write_card(
    weights: Path, pool: Path, per_patient: int, progress: Progress, device: str = "cpu"
) -> dict[str, object]:
    """Evaluate ``weights`` on the pool's test patients and write its .json and .md beside it.

    ValueError where the pool's patients are split otherwise than when the weights were trained: some of its test
    patients may then have been for training.
    """
    record = json.loads(weights.with_suffix(".training.json").read_text())
    if split_pool(read_manifest(pool)) != Split.from_json(record["split"]):
        raise ValueError(
            f"The patients of {pool} are not those that {weights.name} was trained and held out with: "
            "pass the pool of its training with --data."
        )
    card = _facts(weights, record, pool)
    cases = rated_cases(pool, "test", per_patient, _left_out(record)["test"], _matrix(record))
    if record["method"] == "fid_med":
        labels = record["labels"]
        card["held_out_accuracy"] = _backbone_accuracy(weights, cases, labels, _unseen(pool, labels))
    else:
        card["gain"] = _method_gains(weights, record["method"], cases, progress, device)
        card["evaluated_on"] = f"{device_name(device)}, {precision_on(device)}"
    weights.with_suffix(".json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    weights.with_suffix(".md").write_text(card_markdown(card))
    return card


def _facts(weights: Path, record: Mapping[str, Any], pool: Path) -> dict[str, object]:
    split, left_out = Split.from_json(record["split"]), _left_out(record)
    _, state = read_weights(weights)
    slices = read_manifest(pool)
    chosen = training_slices(slices, split, preset(record["method"], record["preset"]).display_limit)
    rated = {part: rated_slices(slices, split, part, left_out[part]) for part in ("validation", "test")}
    return {
        "method": record["method"],
        "file": weights.name,
        "sha256": file_sha256(weights),
        "bytes": weights.stat().st_size,
        "parameters": sum(v.numel() for n, v in state.items() if not _is_buffer(n)),
        **{k: record[k] for k in ("preset", "network", "steps", "batch", "crop", "learning_rate", "seconds")},
        **{k: record[k] for k in ("device", "torch", "training_slices", "labels", "best_validation_gain")},
        "matrix": _matrix(record),
        "cpu_seconds": record.get("cpu_seconds"),
        "started_from": record.get("started_from", ""),
        "chosen_by": record.get("chosen_by", ""),
        "physics_version": physics_version,
        "physics": PHYSICS_PARAMETERS,
        "sources": _sources(chosen),
        "patients": _counts({"training": chosen, **rated}),
        **_patients(record, chosen, split),
    }


def _patients(record: Mapping[str, Any], chosen: list[PoolSlice], split: Split) -> dict[str, object]:
    """Who was for what. Patients of the weights at the start count as this training's own."""
    left_out = _left_out(record)
    earlier = record.get("earlier", {"training_patients": [], "validation_patients": []})
    training = source_ids({s.patient for s in chosen})
    validation = source_ids(split.validation - set(left_out["validation"]))
    known = {*earlier["training_patients"], *earlier["validation_patients"]}
    return {
        "training_patients": sorted(training | set(earlier["training_patients"])),
        "validation_patients": sorted(validation | set(earlier["validation_patients"])),
        "test_patients": sorted(split.test - set(left_out["test"])),
        "earlier_patients": sorted(known - training - validation),
        "left_out_patients": left_out,
    }


def _left_out(record: Mapping[str, Any]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = record.get("left_out", {"validation": [], "test": []})
    return result


def _matrix(record: Mapping[str, Any]) -> Matrix:
    ct, mr, us = record.get("matrix", AS_THEY_ARE)
    return int(ct), int(mr), int(us)


def _counts(parts: Mapping[str, list[PoolSlice]]) -> dict[str, dict[str, int]]:
    """Patients of each modality in each part."""
    return {
        modality: {name: len({s.patient for s in part if s.modality == modality}) for name, part in parts.items()}
        for modality in MODALITIES
        if any(s.modality == modality for part in parts.values() for s in part)
    }


def _is_buffer(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked")) or name.startswith("pca_")


def _sources(slices: list[PoolSlice]) -> list[dict[str, object]]:
    """Per source: modality, licence, number of patients and slices."""
    grouped: dict[tuple[str, str, str, bool], list[PoolSlice]] = defaultdict(list)
    for item in slices:
        grouped[(item.source, item.modality, item.licence, item.display_only)].append(item)
    return [
        {
            "source": source,
            "modality": modality,
            "licence": licence,
            "display_only": display,
            "patients": len({s.patient for s in items}),
            "slices": len(items),
        }
        for (source, modality, licence, display), items in sorted(grouped.items())
    ]


def _method_gains(
    weights: Path, key: str, cases: list[RatedCase], progress: Progress, device: str
) -> dict[str, dict[str, object]]:
    result: dict[str, dict[str, object]] = {}
    for name, settings in VARIANTS[key].items():
        method = load_method(key, settings, device, weights)
        images = restore(method, cases, lambda done, total: progress(done, total, "evaluating on held-out"))
        result[name] = {modality: asdict(gain) for modality, gain in gains(cases, images).items()}
    return result


def _unseen(pool: Path, labels: list[str]) -> frozenset[str]:
    """Patients that show what no training label names."""
    return frozenset(s.patient for s in read_manifest(pool) if pool_label(s) not in labels)


@torch.inference_mode()
def _backbone_accuracy(
    weights: Path, cases: list[RatedCase], labels: list[str], unseen: frozenset[str]
) -> dict[str, dict[str, float]]:
    """Share of held-out images whose modality is right, and that are told reference from degraded."""
    config, state = read_weights(weights)
    settings: dict[str, Any] = config
    backbone = Backbone(BackboneConfig(**settings))
    load_into(backbone, state, "cpu")
    rows: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for case in cases:
        measured = case.measurement
        for verdict, image in enumerate((case.reference, measured.degraded)):
            pixels = network_image(image, measured.modality, measured.data_range)
            feature = backbone(pixels[None])
            named = labels[int(backbone.labels(feature).argmax())].split()[0] == measured.modality
            told = int(backbone.quality(feature).argmax()) == verdict
            rows[measured.modality].append((case.patient, named, told))
    everything = [row for name in sorted(rows) for row in rows[name]]
    rows["all"] = everything
    rows["all of an anatomy trained on"] = [row for row in everything if row[0] not in unseen]
    return {
        name: {
            "modality": float(np.mean([r[1] for r in values])),
            "quality": float(np.mean([r[2] for r in values])),
            "patients": len({r[0] for r in values}),
            "images": len(values),
        }
        for name, values in sorted(rows.items())
    }
