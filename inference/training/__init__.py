"""The training protocol: presets, pairs, loop, losses, EMA, checkpoints and model cards."""
