"""While the image is built: torch is the build for the wanted device, else a sentence and exit status 1."""

from __future__ import annotations

import sys

import torch

wanted, built = sys.argv[1], "cuda" if torch.version.cuda else "cpu"
if wanted not in {"cpu", "cuda"}:
    sys.exit(f"DEVICE must be cpu or cuda, not {wanted!r}.")
if wanted != built:
    sys.exit(
        f"torch {torch.__version__} is built for {built}, not {wanted}: give TORCH_INDEX the index of the other build."
    )
