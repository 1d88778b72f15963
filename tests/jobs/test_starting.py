"""What `manage.py up` refuses, in one sentence each, and what it does before the first process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from readerstudy.jobs import startup, supervisor
from readerstudy.jobs.management.commands.up import loopback
from readerstudy.jobs.startup import Lock, Refusal


def test_a_second_start_on_the_same_folder_is_refused(tmp_path):
    with (
        Lock(tmp_path / "up.lock"),
        pytest.raises(Refusal, match=r"Another `manage.py up` \(process \d+, started 20.*stop it first"),
        Lock(tmp_path / "up.lock"),
    ):
        pass


def test_the_lock_dies_with_its_process_and_names_the_workers_it_had(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from readerstudy.jobs.startup import Lock\n"
        "Lock(Path(sys.argv[1])).__enter__().note(['w-1']); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "up.lock")], check=False)
    with Lock(tmp_path / "up.lock") as lock:
        assert lock.workers_before == ["w-1"]


def test_a_lock_file_cut_short_by_a_full_disk_is_no_obstacle(tmp_path):
    (tmp_path / "up.lock").write_text('{"pid": 12, "wor')
    with Lock(tmp_path / "up.lock") as lock:
        assert lock.workers_before == []


def test_a_port_in_use_is_refused_with_what_to_do():
    with startup.open_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Refusal, match=rf"127.0.0.1:{port} can't be used .* give another --port"):
            startup.open_socket("127.0.0.1", port)


def test_sqlite_on_a_network_file_system_is_refused(monkeypatch, settings):
    monkeypatch.setattr(startup, "file_system", lambda path: "nfs4")
    monkeypatch.setattr(startup, "connection", type("Connection", (), {"vendor": "sqlite"}))
    with pytest.raises(Refusal, match=r"network file system \(nfs4\).*READERSTUDY_DATA"):
        startup.prepare(print)


def test_the_deepest_mount_names_the_file_system():
    assert startup.file_system(Path("/proc/self")) == "proc"


def test_static_files_are_collected_only_when_they_changed(tmp_path, settings, monkeypatch):
    source, said, calls = tmp_path / "source", [], []
    source.mkdir()
    (source / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS, settings.STATIC_ROOT = [source], tmp_path / "static"
    monkeypatch.setattr(startup, "call_command", lambda *names, **_: calls.append(names[0]))
    for _ in range(2):
        startup.collect_static(said.append)
    assert calls == ["collectstatic"]
    (source / "a.css").write_text("a { color: red }")
    startup.collect_static(said.append)
    assert calls == ["collectstatic"] * 2
    assert said == ["Collecting the static files ..."] * 2


@pytest.mark.parametrize(("address", "inside"), [
    ("127.0.0.1", True), ("127.0.0.9", True), ("::1", True), ("localhost", True),
    ("0.0.0.0", False), ("192.168.1.4", False), ("::", False), ("example.org", False),
])  # fmt: skip
def test_loopback(address, inside):
    assert loopback(address) is inside


def test_the_demo_refuses_to_serve_others(settings):
    settings.DEMO = True
    with pytest.raises(CommandError, match="printed passwords and serves this machine only"):
        call_command("up", "--bind", "0.0.0.0")


def test_nothing_to_start_is_refused(settings):
    with pytest.raises(CommandError, match="There is nothing to start"):
        call_command("up", "--no-web", "--no-worker")
    with pytest.raises(CommandError, match="0 or more workers"):
        call_command("up", "--workers", "-1")


def test_a_worker_for_an_unknown_queue_is_refused():
    with pytest.raises(CommandError, match=r"There is no queue tpu: use one of cpu, gpu\."):
        call_command("worker", "--queue", "cpu,tpu")


def test_a_plan_has_one_web_server_and_its_workers(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with socket.socket() as listener:
        found = supervisor.children(supervisor.Plan(cpu_workers=2, gpu_workers=2), listener)
    assert [child.worker for child in found] == [False, True, True, True, True]
    cpu, gpu = found[1], found[4]
    assert (cpu.environment["OMP_NUM_THREADS"], cpu.environment["CUDA_VISIBLE_DEVICES"]) == ("1", "")
    assert gpu.environment["CUDA_VISIBLE_DEVICES"] == "5"
    names = [child.command[child.command.index("-n") + 1] for child in found[1:]]
    assert len(set(names)) == 4


def test_a_child_that_dies_at_once_is_started_ever_more_slowly():
    child = supervisor.Child("x", ["true"], started=supervisor.time.monotonic())
    assert [child.postpone() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    child.started -= 60
    assert child.postpone() == 0.5


def test_a_first_page_with_an_error_is_reported(monkeypatch):
    monkeypatch.setattr(startup, "_get", lambda *_: (500, ""))
    assert "error (500)" in startup.first_page("127.0.0.1", 1, threading.Event())


def test_the_first_page_is_followed_to_the_sign_in(monkeypatch):
    pages = {"/": (302, "/accounts/login/?next=/"), "/accounts/login/?next=/": (200, "")}
    asked = []

    def get(address: str, port: int, name: str, page: str) -> tuple[int, str]:
        asked.append(page)
        return pages[page]

    monkeypatch.setattr(startup, "_get", get)
    assert startup.first_page("127.0.0.1", 1, threading.Event()) == ""
    assert asked == list(pages)
