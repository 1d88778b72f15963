"""The command line of ``inference``: train, card, fit-baseline, benchmark, degrade, reconstruct."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
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
    train.add_argument("--minutes", type=float, help="of training at most; the learning rate falls accordingly")
    train.add_argument("--start", type=Path, help="weights of the same network, with their card, to begin with")
    train.add_argument("--batch", type=int, help="slices per step instead of the preset's")
    train.add_argument("--matrix", type=int, help="resample references to this longer side (default: the preset's)")
    train.add_argument("--device", default="cpu")
    train.add_argument("--compile", action="store_true", help="compile the networks: slower to start, then faster")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--no-card", action="store_true", help="skip the evaluation on held-out patients")
    card = commands.add_parser("card", help="evaluate trained weights on held-out patients, write the card")
    card.add_argument("weights", type=Path)
    card.add_argument("--data", type=Path, required=True)
    card.add_argument("--per-patient", type=int, default=3)
    card.add_argument("--device", default="cpu")
    baseline = commands.add_parser("fit-baseline", help="fit the benchmark's baseline on validation patients")
    baseline.add_argument("output", type=Path, help="JSON file to write")
    baseline.add_argument("--data", type=Path, required=True)
    _add_benchmark(commands.add_parser("benchmark", help="measure all methods on held-out cases: Tables 3, 4, 6, 7"))
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


def _add_benchmark(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--cases", type=Path, required=True, help="folder of DICOM, or a pool folder with manifest.csv")
    add("--out", type=Path, required=True, help="folder for tables, figures, montages and kept images")
    add("--size", default="small", choices=["small", "paper"])
    add("--device", default="cpu", help="cpu or cuda")
    add("--tables", default="3,4,6,7", help="numbers of the tables to make")
    add("--weights", type=Path, help="folder of METHOD.safetensors with their cards, instead of the shipped ones")
    add("--per-patient", type=int, help="slices per patient, 0 for all (default: 3 on a CPU, else all)")
    add("--matrix", type=int, default=0, help="resample references to this longer side (default: as they are)")
    add("--repeats", type=int, default=50, help="timed slices per method for Table 6")
    add("--step-slices", type=int, help="slices for Table 7 (default: 2 per modality on a CPU, else 16)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 after one sentence on what is wrong."""
    from inference.data.fastmri import MissingPackageError

    options = parser().parse_args(arguments)
    try:
        COMMANDS[options.command](options)
    except (ValueError, FileNotFoundError, MissingPackageError) as error:
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
        device=options.device,
        steps=options.steps,
        batch=options.batch,
        matrix=options.matrix,
        minutes=options.minutes,
        start=options.start,
        seed=options.seed,
        compiled=options.compile,
    )
    if not options.no_card:
        write_card(weights, options.data, 3, ProgressBar(), options.device)
        print(weights.with_suffix(".md").read_text())
    print(weights)


def _card(options: argparse.Namespace) -> None:
    from inference.progress import ProgressBar
    from inference.training.cards import write_card

    write_card(options.weights, options.data, options.per_patient, ProgressBar(), options.device)
    print(options.weights.with_suffix(".md").read_text())


def _fit_baseline(options: argparse.Namespace) -> None:
    from inference.benchmark.baseline import fit_all, write_baselines
    from inference.training.pairs import rated_cases

    baselines = fit_all(rated_cases(options.data, "validation", 0))
    write_baselines(options.output, baselines)
    for modality, fitted in baselines.items():
        print(f"{modality}: blur {fitted.sigma:g} pixels, {fitted.patients} patients, {fitted.slices} slices")


def _benchmark(options: argparse.Namespace) -> None:
    from inference.benchmark.run import Options, run
    from inference.progress import ProgressBar

    cpu = options.device == "cpu"
    try:
        tables = tuple(int(number) for number in options.tables.split(","))
    except ValueError as error:
        raise ValueError(f"--tables {options.tables!r} are no numbers: write for example 3,4.") from error
    for name in ("per_patient", "matrix", "step_slices"):
        if (getattr(options, name) or 0) < 0:
            raise ValueError(f"--{name.replace('_', '-')} can't be negative: give 0 or more.")
    if options.repeats < 2:
        raise ValueError("A median and a percentile need --repeats of 2 or more.")
    text = run(
        Options(
            cases=options.cases,
            out=options.out,
            size=options.size,
            device=options.device,
            tables=tables,
            weights=options.weights,
            per_patient=(3 if cpu else 0) if options.per_patient is None else options.per_patient,
            matrix=options.matrix,
            repeats=options.repeats,
            step_slices=(6 if cpu else 16) if options.step_slices is None else options.step_slices,
            step_matrix=128 if cpu else options.matrix,
        ),
        ProgressBar(),
    )
    print(text)
    print(f"Tables, figures and montages lie in {options.out}.")


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


def _measurements(options: argparse.Namespace, keep_projections: bool = False) -> list[Measurement]:
    from inference.physics.degrade import degrade
    from inference.physics.levels import level_of
    from inference.progress import ProgressBar

    stack, bar = _slices(options.input), ProgressBar()
    level = level_of(options.modality).default if options.level is None else options.level
    data_range = {"CT": 2924.0, "US": 255.0}.get(options.modality, max(1.0, float(stack.max())))
    result = []
    for i, image in enumerate(stack):
        result.append(
            degrade(
                image, options.modality, level, seed=options.seed + i, data_range=data_range,
                keep_projections=keep_projections,
            )
        )  # fmt: skip
        bar(i + 1, len(stack), "degrading")
    return result


def _degrade(options: argparse.Namespace) -> None:
    np.save(options.output, np.stack([m.degraded for m in _measurements(options)]))


def _reconstruct(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from inference.methods.base import UncertainMethod, load_method
    from inference.methods.register import METHODS, needs_projections
    from inference.progress import ProgressBar

    try:
        settings = json.loads(options.settings)
    except json.JSONDecodeError as error:
        raise ValueError(f"--settings is not JSON ({error.msg}): write for example '{{\"steps\": 20}}'.") from error
    method, bar = load_method(options.method, settings, options.device), ProgressBar()
    measurements = _measurements(options, needs_projections(options.method, settings))
    if METHODS[options.method].needs_reference:
        references = _slices(options.input)
        measurements = [replace(m, reference=one) for m, one in zip(measurements, references, strict=True)]
    images, deviations = [], []
    for i, measurement in enumerate(measurements):
        if isinstance(method, UncertainMethod) and method.samples > 1:
            image, deviation = method.reconstruct_with_deviation([measurement], [measurement.seed])[0]
            images.append(image)
            deviations.append(deviation)
        else:
            images += method.reconstruct([measurement], [measurement.seed])
        bar(i + 1, len(measurements), "reconstructing")
    np.save(options.output, np.stack(images))
    if deviations:
        np.save(options.output.with_name(f"{options.output.stem}-standard-deviation.npy"), np.stack(deviations))


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "train": _train,
    "card": _card,
    "fit-baseline": _fit_baseline,
    "benchmark": _benchmark,
    "degrade": _degrade,
    "reconstruct": _reconstruct,
}
