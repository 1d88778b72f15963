"""Score tables for the tests: a generator of our own, so that R and every numpy see the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from readerstudy.statistics.table import ScoreRow, ScoreTable


def uniforms(seed: int) -> Callable[[], float]:
    """Lehmer's minimal standard generator: the same stream in any language."""
    state = seed

    def draw() -> float:
        nonlocal state
        state = state * 48271 % 2147483647
        return state / 2147483647

    return draw


def scores(
    seed: int,
    means: tuple[float, ...] = (2.8, 3.6, 3.9, 4.6),
    slices: int = 40,
    readers: int = 5,
    spread: tuple[float, float, float, float, float] = (0.4, 0.3, 0.2, 0.15, 0.5),
    missing: float = 0.0,
) -> np.ndarray:
    """Scores 1-5 (slices, arms, readers); ``spread``: SD of slice, reader, slice:arm, reader:arm, noise."""
    draw = uniforms(seed)

    def normal() -> float:
        return sum(draw() for _ in range(12)) - 6

    arms = len(means)
    of_slice = [normal() for _ in range(slices)]
    of_reader = [normal() for _ in range(readers)]
    of_slice_arm = [[normal() for _ in range(arms)] for _ in range(slices)]
    of_reader_arm = [[normal() for _ in range(arms)] for _ in range(readers)]
    cube = np.full((slices, arms, readers), np.nan)
    for s in range(slices):
        for a in range(arms):
            for r in range(readers):
                value = means[a] + spread[0] * of_slice[s] + spread[1] * of_reader[r]
                value += spread[2] * of_slice_arm[s][a] + spread[3] * of_reader_arm[r][a]
                value += spread[4] * normal()
                if draw() >= missing:
                    cube[s, a, r] = min(5, max(1, int(value + 0.5)))
    return cube


def table(
    cube: np.ndarray, patients: tuple[str, ...] = (), modalities: tuple[str, ...] = (), repeat: int = 0
) -> ScoreTable:
    return ScoreTable.from_rows(rows(cube, patients, modalities, repeat))


def rows(
    cube: np.ndarray, patients: tuple[str, ...] = (), modalities: tuple[str, ...] = (), repeat: int = 0
) -> list[ScoreRow]:
    slices, arms, readers = cube.shape
    return [
        ScoreRow(
            slice=f"S{s}",
            arm=f"arm{a}",
            reader=f"R{r + 1}",
            score=None if np.isnan(cube[s, a, r]) else float(cube[s, a, r]),
            patient=patients[s] if patients else "",
            modality=modalities[s] if modalities else "",
            repeat=repeat,
        )
        for s in range(slices)
        for a in range(arms)
        for r in range(readers)
    ]


CLMM_TABLES = {
    "good readers": lambda: scores(1),
    "ceiling": lambda: scores(2, means=(3.9, 4.3, 4.4, 4.8)),
    "poor readers, gaps": lambda: scores(3, spread=(0.2, 0.6, 0.3, 0.3, 1.0), missing=0.2),
}
