"""``manage.py up``: one web server and some workers as child processes that live and die with this one."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, connections

from readerstudy.jobs import claims
from readerstudy.jobs.startup import Lock, first_page, open_socket, prepare

log = logging.getLogger(__name__)
LAUNCH = Path(__file__).with_name("launch.py")
END_SECONDS = 8.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_SECONDS = 5.0  # a process that dies sooner has probably not started at all
WORKER_NICENESS = 5
# The management command has run Django's checks; a worker that ran them again would load every page first.
CHECKED = {"CELERY_SKIP_CHECKS": "1"}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Plan:
    """What to start: address, threads of the web server (0: no web server), workers per queue."""

    bind: str = "127.0.0.1"
    port: int = 8000
    threads: int = 8
    cpu_workers: int = 1
    gpu_workers: int = 0


@dataclass
class Child:
    """A process to keep running; ``worker`` when it takes jobs."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0
    worker: bool = False
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    worker_id: str = ""
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0

    def start(self) -> None:
        self.worker_id = str(uuid4()) if self.worker else ""
        environment = os.environ | dict(self.environment)
        if self.worker:
            environment["READERSTUDY_WORKER_ID"] = self.worker_id
        command = [sys.executable, "-S", str(LAUNCH), str(os.getpid()), str(self.niceness), *self.command]
        # A session of its own: Ctrl-C reaches the supervisor only, which then ends its children in order.
        self.process = subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment, pass_fds=self.pass_fds, start_new_session=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.started = time.monotonic()

    def died(self) -> int | None:
        """The exit status once the process has ended, else None."""
        return self.process.poll() if self.process else None

    def postpone(self) -> float:
        """Seconds to wait before the next start: longer after each quick death."""
        quick = time.monotonic() - self.started < STEADY_SECONDS
        self.failures = self.failures + 1 if quick else 1
        pause: float = min(SHORTEST_PAUSE * 2 ** (self.failures - 1), LONGEST_PAUSE)
        self.process, self.start_at = None, time.monotonic() + pause
        return pause


class Supervisor:
    """Starts the children of a plan, replaces those that die, and ends all of them."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self._plan, self._say = plan, say
        self._ending = threading.Event()
        self._children: list[Child] = []

    def run(self) -> None:
        """Hold the data folder until SIGTERM, SIGINT or SIGHUP; raises ``Refusal`` when it can't start."""
        begun = time.monotonic()
        with Lock(settings.DATA_DIR / "up.lock") as lock:
            listener = open_socket(self._plan.bind, self._plan.port) if self._plan.threads else None
            prepare(self._say)
            for worker in lock.workers_before:
                self._abandon(worker)
            connections.close_all()
            self._listen()
            self._children = children(self._plan, listener)
            if listener is not None:
                self._announce(listener, begun)
            try:
                while not self._ending.is_set():
                    if self._tick():
                        lock.note([child.worker_id for child in self._children if child.worker_id])
                    self._ending.wait(0.2)
            finally:
                self._end()

    def _listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Under nohup SIGHUP is ignored, and stays so.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: self._ending.set())

    def _tick(self) -> bool:
        """Look after every child once; True when one was started."""
        started = False
        for child in self._children:
            status = child.died()
            if status is not None:
                self._abandon(child.worker_id)
                pause = child.postpone()
                log.warning("%s ended (%s) and starts again in %.1f s.", child.name, _why(status), pause)
            if child.process is None and time.monotonic() >= child.start_at:
                child.start()
                started = True
        return started

    def _end(self) -> None:
        running = [child.process for child in self._children if child.process and child.died() is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + END_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self._children:
            self._abandon(child.worker_id, counted=False)
        self._say("Stopped.")

    def _abandon(self, worker: str, *, counted: bool = True) -> None:
        """Give the jobs of a dead worker to the others at once instead of after a lease."""
        try:
            if worker:
                claims.abandon(worker, counted=counted)
        except DatabaseError as error:
            log.warning("The jobs of a dead worker wait for their lease to run out: %s", error)
        finally:
            connections.close_all()

    def _announce(self, listener: socket.socket, begun: float) -> None:
        host, port = listener.getsockname()[:2]

        def wait() -> None:
            problem = first_page(host, port, self._ending)
            if self._ending.is_set():
                return
            name = "localhost" if host in {"127.0.0.1", "::1"} else host
            seconds = time.monotonic() - begun
            self._say(problem or f"Ready at http://{name}:{port} after {seconds:.1f} s. Ctrl-C ends it.")

        threading.Thread(target=wait, name="first-page", daemon=True).start()


def children(plan: Plan, listener: socket.socket | None) -> list[Child]:
    """The processes of a plan, the web server first."""
    found = []
    if listener is not None:
        descriptor = listener.fileno()
        command = [
            sys.executable, "-m", "gunicorn", "-c", "python:readerstudy.jobs.webserver",
            "--threads", str(plan.threads), "--bind", f"fd://{descriptor}", "readerstudy.wsgi:application",
        ]  # fmt: skip
        found.append(Child("The web server", command, pass_fds=(descriptor,)))
    for number in range(plan.cpu_workers):
        found.append(worker_child("cpu", number, cpu_environment()))
    for number in range(plan.gpu_workers):
        found.append(worker_child("gpu", number, gpu_environment(number)))
    return found


def worker_child(queue: str, number: int, environment: Mapping[str, str]) -> Child:
    """A worker of a queue; one with a GPU also takes what waits for any worker, since no method needs a GPU."""
    name = f"{queue}{number}-{os.getpid()}"
    queues = ["gpu", "cpu"] if queue == "gpu" else [queue]
    return Child(
        f"The {queue} worker {number + 1}", celery_command(queues, name), environment,
        niceness=WORKER_NICENESS, worker=True,
    )  # fmt: skip


def celery_command(queues: list[str], name: str) -> list[str]:
    """The command line of one worker process that takes one job at a time from ``queues``."""
    return [
        sys.executable, "-m", "celery", "-q", "-A", "readerstudy.celery", "worker", "-P", "solo",
        "-Q", ",".join(queues), "-n", f"{name}@%h", "-l", "WARNING",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def cpu_environment() -> dict[str, str]:
    """One thread per CPU worker, and no GPU: two threads on two busy cores are many times slower."""
    return {**CHECKED, **ONE_THREAD, "CUDA_VISIBLE_DEVICES": "", "READERSTUDY_DEVICE": "cpu"}


def gpu_environment(number: int) -> dict[str, str]:
    """One GPU per worker, out of those this process may see."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    device = visible[number % len(visible)] if visible else str(number)
    return {**CHECKED, "CUDA_VISIBLE_DEVICES": device, "READERSTUDY_DEVICE": "cuda"}


def _why(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
