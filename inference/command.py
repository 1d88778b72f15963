"""The command line of ``inference``: train, card, degrade, reconstruct."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from inference.methods.base import Measurement


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m inference", description="Medical image reconstruction.")
    commands = root.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a method on an image pool (resumes by itself)")
    train.add_argument("method")
    train.add_argument("--preset", default="small", choices=["small", "paper"])
    train.add_argument("--data", type=Path, required=True, help="folder of the pool, with manifest.csv")
    train.add_argument("--out", type=Path, required=True, help="folder for checkpoints, weights and card")
    train.add_argument("--steps", type=int, help="instead of the preset's number of steps")
    train.add_argument("--device", default="cpu")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--no-card", action="store_true", help="skip the evaluation on held-out patients")
    card = commands.add_parser("card", help="evaluate trained weights on held-out patients, write the card")
    card.add_argument("weights", type=Path)
    card.add_argument("--data", type=Path, required=True)
    card.add_argument("--per-patient", type=int, default=3)
    degrade = commands.add_parser("degrade", help="degrade a .npy slice or stack in physical units")
    degrade.add_argument("--level", type=float, help="dose share, acceleration or SNR in dB")
    reconstruct = commands.add_parser("reconstruct", help="degrade .npy slices and reconstruct them")
    reconstruct.add_argument("--method", required=True)
    reconstruct.add_argument("--level", type=float)
    reconstruct.add_argument("--settings", default="{}", help="JSON, for example '{\"steps\": 20}'")
    reconstruct.add_argument("--device", default="cpu")
    for command in (degrade, reconstruct):
        command.add_argument("input", type=Path)
        command.add_argument("output", type=Path)
        command.add_argument("--modality", required=True, choices=["CT", "MR", "US"])
        command.add_argument("--seed", type=int, default=0)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 after one sentence on what is wrong."""
    options = parser().parse_args(arguments)
    try:
        {"train": _train, "card": _card, "degrade": _degrade, "reconstruct": _reconstruct}[options.command](options)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped: run the same command again to go on from the last checkpoint.", file=sys.stderr)
        return 130
    return 0


def _train(options: argparse.Namespace) -> None:
    from inference.progress import ProgressBar
    from inference.training.cards import write_card
    from inference.training.train import train

    weights = train(
        options.method,
        options.preset,
        options.data,
        options.out,
        steps=options.steps,
        device=options.device,
        seed=options.seed,
    )
    if not options.no_card:
        write_card(weights, options.data, 3, ProgressBar())
        print(weights.with_suffix(".md").read_text())
    print(weights)


def _card(options: argparse.Namespace) -> None:
    from inference.progress import ProgressBar
    from inference.training.cards import write_card

    write_card(options.weights, options.data, options.per_patient, ProgressBar())
    print(options.weights.with_suffix(".md").read_text())


def _slices(path: Path) -> NDArray[np.float32]:
    """(n, rows, cols) from a .npy file of two or three axes."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: pass a .npy file of one slice or a stack of slices.")
    stack = np.load(path).astype(np.float32)
    if stack.ndim == 2:
        stack = stack[None]
    if stack.ndim != 3:
        raise ValueError(f"{path} has {stack.ndim} axes: pass (rows, cols) or (slices, rows, cols).")
    return np.asarray(stack, np.float32)


def _measurements(options: argparse.Namespace) -> list[Measurement]:
    from inference.physics.degrade import degrade
    from inference.physics.levels import level_of
    from inference.progress import ProgressBar

    stack, bar = _slices(options.input), ProgressBar()
    level = level_of(options.modality).default if options.level is None else options.level
    data_range = {"CT": 2924.0, "US": 255.0}.get(options.modality, max(1.0, float(stack.max())))
    result = []
    for i, image in enumerate(stack):
        seed = options.seed + i
        result.append(degrade(image, options.modality, level, seed=seed, data_range=data_range))
        bar(i + 1, len(stack), "degrading")
    return result


def _degrade(options: argparse.Namespace) -> None:
    np.save(options.output, np.stack([m.degraded for m in _measurements(options)]))


def _reconstruct(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from inference.methods.base import load_method
    from inference.progress import ProgressBar

    try:
        settings = json.loads(options.settings)
    except json.JSONDecodeError as error:
        raise ValueError(f"--settings is not JSON ({error.msg}): write for example '{{\"steps\": 20}}'.") from error
    method, bar = load_method(options.method, settings, options.device), ProgressBar()
    measurements, references = _measurements(options), _slices(options.input)
    images = []
    for i, measurement in enumerate(measurements):
        images += method.reconstruct([replace(measurement, reference=references[i])], [measurement.seed])
        bar(i + 1, len(measurements), "reconstructing")
    np.save(options.output, np.stack(images))
