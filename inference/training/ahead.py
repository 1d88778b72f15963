"""Batches drawn by threads while earlier ones are trained on. A step's batch doesn't depend on when it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

Batch = TypeVar("Batch")


class Ahead(Generic[Batch]):
    """Calls ``draw`` for the next steps on ``threads`` threads; with none, when a step asks."""

    def __init__(self, draw: Callable[[int], Batch], last: int, threads: int) -> None:
        self.draw, self.last, self.threads = draw, last, threads
        self._pool = ThreadPoolExecutor(threads) if threads > 0 else None
        self._coming: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """The batch of ``step`` (below ``last``); steps are asked for in their order."""
        if self._pool is None:
            return self.draw(step)
        for later in range(step, min(step + 2 * self.threads, self.last)):
            if later not in self._coming:
                self._coming[later] = self._pool.submit(self.draw, later)
        return self._coming.pop(step).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
