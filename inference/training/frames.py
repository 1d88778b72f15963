"""Batches for the FID-Med network: whole frames as it will see them, and what is varied in them.

Grey levels of MR and ultrasound depend on the scan's gain, those of CT do not. A network that may read the
gain takes it for the modality and fails on the first scanner set differently; so gain and gamma are drawn
anew for every pair, the same for a reference and its degraded image.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from inference.data.preprocessing import one_hot
from inference.metrics.features import resized, squared
from inference.training.pairs import Batch, Grouped, chosen_pairs, epoch_pairs

ZOOM = (0.35, 1.0)  # share of the frame's side that is kept
GAIN = (0.5, 1.4)
GAMMA = (0.3, 2.5)


def draw_frames(pairs: Grouped, size: int, seed: int, step: int, vary: bool = True, in_epochs: bool = False) -> Batch:
    """The batch of one step, the same whenever that step is run: frames of the network's input size."""
    generator = np.random.default_rng((seed, step))
    degraded, reference, modality, labels = [], [], [], []
    drawn = epoch_pairs(pairs, size, seed, step) if in_epochs else chosen_pairs(pairs, size, step, generator)
    for pair in drawn:
        images = np.stack([squared(x.astype(np.float32)) for x in (pair.degraded, pair.reference)])
        if vary:
            images = _varied(images, pair.modality, generator)
        frames = resized(torch.from_numpy(images.clip(-1.0, 1.0))[:, None]).numpy()
        degraded.append(frames[0])
        reference.append(frames[1])
        modality.append(one_hot(pair.modality))
        labels.append(pair.label)
    return Batch(np.stack(degraded), np.stack(reference), np.stack(modality), labels)


def _varied(images: NDArray[np.float32], modality: str, generator: np.random.Generator) -> NDArray[np.float32]:
    """A window, a flip and, where grey levels are not calibrated, gain and gamma; (2, side, side) alike."""
    side = images.shape[1]
    kept = round(generator.uniform(*ZOOM) * side)
    row, col = (int(n) for n in generator.integers(side - kept + 1, size=2))
    images = images[:, row : row + kept, col : col + kept]
    if generator.random() < 0.5:
        images = images[:, :, ::-1]
    gain, gamma = (float(np.exp(generator.uniform(*np.log(limits)))) for limits in (GAIN, GAMMA))
    if modality == "CT":
        return np.ascontiguousarray(images)
    grey = np.clip(gain * 0.5 * (images + 1.0), 0.0, 1.0) ** gamma
    return np.ascontiguousarray(2.0 * grey - 1.0, np.float32)
