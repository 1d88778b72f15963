"""How a function runs on a device, as far as a machine without a GPU can tell; test_gpu.py holds the rest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.methods import acceleration
from inference.methods.acceleration import Accelerated, device_name, forced, mode, precision_on, prepared


def test_the_environment_names_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(acceleration.VARIABLE, raising=False)
    assert mode() == "graph"
    with forced("eager"):
        assert mode() == "eager"
    assert mode() == "graph"
    monkeypatch.setenv(acceleration.VARIABLE, "fast")
    with pytest.raises(ValueError, match="set it to one of graph, compile, eager"):
        mode()
    with forced("compile"):
        assert mode() == "compile"


def test_a_cpu_calls_the_function_itself() -> None:
    calls: list[int] = []

    def double(x: torch.Tensor) -> tuple[torch.Tensor]:
        calls.append(1)
        return (2.0 * x,)

    with forced("compile"):
        run = Accelerated(double, "cpu")
    assert run(torch.ones(2))[0].tolist() == [2.0, 2.0] and len(calls) == 1
    assert device_name("cpu").startswith("CPU, ") and precision_on("cpu") == "float32"
    assert precision_on("cuda:1") == "bfloat16"


def test_a_gpu_gets_half_the_bits_but_not_in_batch_norm() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GroupNorm(1, 2))
    network.register_buffer("table", torch.ones(3))
    assert {p.dtype for p in prepared(network, "cpu").parameters()} == {torch.float32}
    prepared(network, "cuda")
    assert network[0].weight.dtype == network[2].weight.dtype == torch.bfloat16
    assert network[1].weight.dtype == network[1].running_mean.dtype == network.table.dtype == torch.float32
