"""A worker with a GPU gets work: its own queue and the common one, one device each."""

from __future__ import annotations

import pytest

from readerstudy.jobs.supervisor import gpu_environment, worker_child


def queues(command: list[str]) -> str:
    return command[command.index("-Q") + 1]


def test_gpu_workers_serve_both_queues_and_cpu_workers_their_own() -> None:
    assert queues(worker_child("gpu", 0, {}).command) == "gpu,cpu"
    assert queues(worker_child("cpu", 0, {}).command) == "cpu"


def test_each_gpu_worker_sees_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    seen = [gpu_environment(number)["CUDA_VISIBLE_DEVICES"] for number in range(3)]
    assert seen == ["2", "5", "2"] and gpu_environment(0)["READERSTUDY_DEVICE"] == "cuda"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpu_environment(1)["CUDA_VISIBLE_DEVICES"] == "1"
