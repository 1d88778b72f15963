"""The command line of ``inference``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m inference", description="Medical image reconstruction.")
    commands = root.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a method on an image pool (resumes by itself)")
    train.add_argument("method")
    train.add_argument("--preset", default="light", choices=["light", "small", "paper"])
    train.add_argument("--data", type=Path, required=True, help="folder of the pool, with manifest.csv")
    train.add_argument("--out", type=Path, required=True, help="folder for checkpoints, weights and card")
    train.add_argument("--steps", type=int, help="instead of the preset's number of steps")
    train.add_argument("--device", default="cpu")
    train.add_argument("--seed", type=int, default=0)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 after a sentence on what is wrong."""
    options = parser().parse_args(arguments)
    from inference.training.train import train

    print(train(options.method, options.preset, options.data, options.out, steps=options.steps,
                device=options.device, seed=options.seed))  # fmt: skip
    return 0
