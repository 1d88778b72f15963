"""What a GPU adds: bfloat16 weights in the memory order its convolutions want, and one CUDA graph per shape.

The environment variable ``INFERENCE_ACCELERATION`` says how a function runs on a GPU:

- ``graph`` (the default): recorded once per set of shapes, replayed afterwards without the cost of its launches;
- ``compile``: compiled first, then recorded. The first slice of every shape takes up to half a minute;
- ``eager``: as it is written, launch by launch.

On a CPU all of it is left out: single precision, and the function itself.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

VARIABLE = "INFERENCE_ACCELERATION"
MODES = ("graph", "compile", "eager")
KEPT = 6  # recordings of one function; each holds the memory of its intermediate results
WARM_UP = 3  # calls before a recording, in which the libraries choose their kernels and allocate

Network = TypeVar("Network", bound=nn.Module)
Tensors = tuple[Tensor, ...]
logger = logging.getLogger(__name__)


def mode() -> str:
    """The mode that the environment asks for; ValueError names those there are."""
    wanted = os.environ.get(VARIABLE, "") or MODES[0]
    if wanted not in MODES:
        raise ValueError(f"{VARIABLE} is {wanted!r}: set it to one of {', '.join(MODES)}.")
    return wanted


@contextmanager
def forced(wanted: str) -> Iterator[None]:
    """Another mode for what is loaded meanwhile."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = wanted
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def on_gpu(device: str) -> bool:
    return torch.device(device).type == "cuda"


def precision_on(device: str) -> str:
    """The precision of a network's weights and convolutions on a device."""
    return "bfloat16" if on_gpu(device) else "float32"


def device_name(device: str) -> str:
    """The device as it stands in tables and cards."""
    return torch.cuda.get_device_name(device) if on_gpu(device) else f"CPU, {torch.get_num_threads()} thread(s)"


def prepared(network: Network, device: str) -> Network:
    """A loaded network made ready for ``device``, in place: on a GPU bfloat16 weights, channels last.

    Batch norm and buffers (diffusion's coefficient table) stay in single precision.
    """
    if on_gpu(device):
        for module in network.modules():
            if not isinstance(module, nn.BatchNorm2d):
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.bfloat16()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class Accelerated:
    """A function of tensors, which depends on nothing else and draws nothing at random, on one device.

    A call returns new tensors: what it returned before is never written over.
    """

    def __init__(self, function: Callable[..., Tensors], device: str, as_written: bool = False) -> None:
        """``as_written``: in no case recorded (a network that is still in training)."""
        self.function, self.mode = function, "eager" if as_written or not on_gpu(device) else mode()
        self._recordings: OrderedDict[tuple[object, ...], _Recording | None] = OrderedDict()
        if self.mode == "compile":
            torch.backends.cudnn.benchmark = True  # the convolutions' kernels are chosen by trial as well
            self.function = torch.compile(function, dynamic=False)

    def __call__(self, *inputs: Tensor) -> Tensors:
        if self.mode == "eager":
            return self.function(*inputs)
        key = tuple((tuple(x.shape), x.dtype) for x in inputs)
        if key not in self._recordings:
            self._recordings[key] = self._recorded(inputs)
            while len(self._recordings) > KEPT:
                self._recordings.popitem(last=False)
        self._recordings.move_to_end(key)
        recording = self._recordings[key]
        return self.function(*inputs) if recording is None else recording(inputs)

    def _recorded(self, inputs: Tensors) -> _Recording | None:
        """None where the function can't be recorded; it is then called as it is. Too little memory is raised."""
        static = tuple(x.clone() for x in inputs)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function(*static)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                outputs = self.function(*static)
        except RuntimeError as error:
            logger.warning("A function runs without a CUDA graph: %s", error)
            return None
        return _Recording(graph, static, outputs)


class _Recording:
    """A CUDA graph with the tensors that it reads and writes."""

    def __init__(self, graph: torch.cuda.CUDAGraph, inputs: Tensors, outputs: Tensors) -> None:
        self.graph, self.inputs, self.outputs = graph, inputs, outputs

    def __call__(self, inputs: Tensors) -> Tensors:
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        self.graph.replay()
        return tuple(x.clone() for x in self.outputs)
