"""The slices of a job, batch after batch: memory that runs out halves the batch, a bad slice spares its mates.

Only workers import this module: it loads torch.
"""

from __future__ import annotations

import logging
import math
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from inference.methods.base import BatchedMethod, Measurement, Method, UncertainMethod
from inference.methods.batching import free_memory, is_device_lost, is_out_of_memory
from readerstudy.accounts.outages import outage_of
from readerstudy.cases.models import Slice
from readerstudy.jobs.claims import WorkerUnfit

log = logging.getLogger(__name__)
NO_MEMORY = "Memory ran out with this slice alone: end what else uses the device, or give it more, then try again."
Image = NDArray[np.float32]
Prepare = Callable[[list[Slice]], tuple[list[Measurement], list[int]]]


@dataclass(frozen=True)
class Outcome:
    """One slice: its image in physical units, or why there is none.

    ``deviation``: SD over the draws, where the method has several. ``latency_ms`` is unknown where memory ran out in
    between. ``peak_mib``: most memory so far, see ``peak_memory``.
    """

    slice: Slice
    image: Image | None
    failure: str = ""
    latency_ms: float | None = None
    batch_size: int = 1
    deviation: Image | None = None
    peak_mib: int | None = None


def reconstruct_each(
    method: Method, slices: list[Slice], prepare: Prepare, heartbeat: Callable[[], None], device: str
) -> Iterator[Outcome]:
    """The outcome of every slice in order, so that each batch can be saved before the next is begun.

    Out of memory halves the batch for the rest of the job; after another error the slices of the batch are tried one
    by one, and only those fail that fail alone. Raises ``WorkerUnfit`` when the GPU's context is gone.
    """
    own_size = _size(method)
    done = alone = 0
    try:
        while done < len(slices):
            heartbeat()
            part = slices[done : done + (1 if alone else at_once(method))]
            outcomes, error = _attempt(method, part, prepare, device)
            if error is None:
                yield from outcomes
                done, alone = done + len(part), max(0, alone - len(part))
            elif is_out_of_memory(error):
                _halve(method, len(part))
            else:
                alone = len(part)
    finally:
        if isinstance(method, BatchedMethod):
            method.batch_size = own_size


def at_once(method: Method) -> int:
    """Slices that the method takes in one call: its draws of one slice share a pass too."""
    return max(1, _size(method) // _samples(method))


def peak_memory(device: str) -> int:
    """MiB: on a GPU what this batch's tensors took at most; on a CPU the most that this process has ever had."""
    if device == "cuda":
        return math.ceil(torch.cuda.max_memory_allocated() / 2**20)
    unit = 1 if sys.platform == "darwin" else 1024
    return math.ceil(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def _attempt(
    method: Method, part: list[Slice], prepare: Prepare, device: str
) -> tuple[list[Outcome], Exception | None]:
    """The outcomes of a batch, or the error of one that can be divided."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        outcomes = _run(method, part, prepare)
    except Exception as error:
        if outage_of(error):  # no fault of a slice: the job goes back to the queue
            raise
        if is_device_lost(error):
            raise WorkerUnfit(f"The GPU can't be used by this worker any more: {error}") from error
        log.warning("A batch of %d slices failed: %s", len(part), type(error).__name__)
        failed = error.with_traceback(None)  # which holds the tensors of the failed pass
    else:
        return [replace(outcome, peak_mib=peak_memory(device)) for outcome in outcomes], None
    free_memory()
    if len(part) > 1:
        return [], failed
    return [Outcome(part[0], None, failure=_reason(failed), peak_mib=peak_memory(device))], None


def _run(method: Method, part: list[Slice], prepare: Prepare) -> list[Outcome]:
    measurements, seeds = prepare(part)
    size, started = _size(method), time.perf_counter()
    deviations: list[Image] | list[None] = [None] * len(part)
    if isinstance(method, UncertainMethod) and method.samples > 1:
        both = method.reconstruct_with_deviation(measurements, seeds)
        images, deviations = [mean for mean, _ in both], [deviation for _, deviation in both]
    else:
        images = method.reconstruct(measurements, seeds)
    each = 1000 * (time.perf_counter() - started) / len(part)
    latency = each if _size(method) == size else None
    return [
        Outcome(
            row, np.asarray(image, np.float32), latency_ms=latency, batch_size=min(len(part), at_once(method)),
            deviation=deviation,
        )
        for row, image, deviation in zip(part, images, deviations, strict=True)
    ]  # fmt: skip


def _halve(method: Method, number: int) -> None:
    if isinstance(method, BatchedMethod):
        method.batch_size = max(1, min(method.batch_size, number * _samples(method)) // 2)


def _size(method: Method) -> int:
    return method.batch_size if isinstance(method, BatchedMethod) else 1


def _samples(method: Method) -> int:
    return max(1, method.samples) if isinstance(method, UncertainMethod) else 1


def _reason(error: Exception) -> str:
    return NO_MEMORY if is_out_of_memory(error) else f"{type(error).__name__}: {error}"[:400]
