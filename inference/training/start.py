"""Weights to begin with: whom they know already, and which patients of a pool are therefore no longer held out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from inference.data.split import Split, source_ids
from inference.methods.checkpoints import read_weights
from inference.methods.register import card_patients, file_sha256


@dataclass(frozen=True)
class Start:
    """What the card of the weights to begin with says; empty where a training begins anew.

    ``training`` and ``validation`` are source ids and hold those of the weights before them, too.
    """

    origin: str = ""
    sha256: str = ""
    training: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()

    def left_out(self, split: Split) -> dict[str, list[str]]:
        """Patients of the pool's validation and test that these weights have met; ValueError where none would be left.

        A patient that the weights were only validated on may be validated on again, but not tested on.
        """
        result = {
            "validation": _known(split.validation, self.training),
            "test": _known(split.test, self.training | self.validation),
        }
        for part, patients in result.items():
            if patients and len(patients) == len(getattr(split, part)):
                raise ValueError(
                    f"The weights of --start were made with every {part} patient of this pool: "
                    "pass another pool with --data, or leave --start out."
                )
        return result

    def as_json(self) -> dict[str, list[str]]:
        return {"training_patients": sorted(self.training), "validation_patients": sorted(self.validation)}


def _known(patients: Iterable[str], known: frozenset[str]) -> list[str]:
    return sorted(patient for patient in patients if source_ids({patient}) & known)


def read_start(weights: Path | None, method: str) -> Start:
    """The card of weights to begin with; ValueError where it is of another method or of other weights."""
    if weights is None:
        return Start()
    read_weights(weights)
    card_patients(weights)
    card = json.loads(weights.with_suffix(".json").read_text())
    if card["method"] != method:
        raise ValueError(f"{weights.name} holds weights of {card['method']}: give weights of {method} with --start.")
    if card["sha256"] != file_sha256(weights):
        raise ValueError(
            f"The card beside {weights.name} is of other weights, so nobody knows whom these were trained on: "
            "make it again with `python -m inference card`."
        )
    how = f"{card['steps']} steps of batch {card['batch']} on {card['device']} in {card['seconds']} s"
    before = f", and these from weights of {card['started_from']}" if card.get("started_from") else ""
    return Start(
        origin=f"{how}, SHA-256 {card['sha256'][:12]}{before}",
        sha256=card["sha256"],
        training=frozenset(card["training_patients"]),
        validation=frozenset(card["validation_patients"]),
    )


def begin_with(network: nn.Module, weights: Path) -> None:
    """Load weights into a network that is to be trained on; ValueError where it has another shape."""
    try:
        network.load_state_dict(read_weights(weights)[1])
    except RuntimeError as error:
        raise ValueError(
            f"{weights.name} holds weights of a network of another shape: "
            "choose the preset they were trained with, or leave --start out."
        ) from error
