"""The diffusion's coefficient table: one linear beta schedule that every sampler reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """Linear betas over ``steps`` (Ho et al. 2020); x_t = alpha_t x_0 + sigma_t noise."""

    steps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02

    @cached_property
    def alpha_bar(self) -> NDArray[np.float64]:
        betas = np.linspace(self.beta_start, self.beta_end, self.steps)
        return np.asarray(np.cumprod(1.0 - betas), np.float64)

    def alpha(self, t: int) -> float:
        """Signal coefficient at timestep ``t``; t = -1 is the clean image."""
        return 1.0 if t < 0 else float(np.sqrt(self.alpha_bar[t]))

    def sigma(self, t: int) -> float:
        """Noise coefficient at timestep ``t``."""
        return 0.0 if t < 0 else float(np.sqrt(1.0 - self.alpha_bar[t]))

    def log_snr(self, t: int) -> float:
        """Half the log of the signal-to-noise power ratio, log(alpha / sigma)."""
        return float(np.log(self.alpha(t) / self.sigma(t)))

    def trailing(self, count: int, start: int | None = None) -> list[int]:
        """``count`` timesteps evenly spaced downwards from start - 1 (999, 899, ... for 10)."""
        start = self.steps if start is None else start
        if not 1 <= count <= start <= self.steps:
            raise ValueError(f"Take between 1 and {start} sampling steps, not {count}.")
        return [round(start - i * start / count) - 1 for i in range(count)]
