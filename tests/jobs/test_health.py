"""Whether an installation is well: a sentence and 503 for each thing that is amiss, and the containers' probes."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from readerstudy.jobs import health, probe
from readerstudy.jobs.models import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_up_to_date", False)


def ask() -> tuple[int, str]:
    answer = Client().get("/readyz")
    return answer.status_code, answer.content.decode().strip()


def test_a_well_installation_is_ready_and_looks_at_migrations_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask() == (200, "ready")
    monkeypatch.setattr(health, "MigrationExecutor", None)
    assert ask() == (200, "ready")


def test_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "database_answers", lambda: False)
    assert ask() == (503, "The database does not answer: start it, or correct DATABASE_URL.")


def test_a_migration_not_yet_applied() -> None:
    MigrationRecorder.Migration.objects.filter(app="jobs").order_by("-pk")[0].delete()
    assert ask() == (503, "The database is not up to date: run `manage.py prepare`.")


def test_a_database_that_goes_away_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(connection: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(health, "MigrationExecutor", away)
    assert ask()[0] == 503


def test_a_full_disk(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FREE_DISK_BYTES = 2**80
    assert ask() == (503, "The disk is nearly full: make room, or set READERSTUDY_FREE_GB lower.")
    settings.FREE_DISK_BYTES = 0
    assert ask()[0] == 200
    assert health.free_bytes(Path("/nowhere/at/all")) == 0


def test_a_pixel_store_that_cannot_be_written(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.PIXELS_DIR = tmp_path / "file" / "pixels"
    assert ask() == (503, "The pixel store can't be written: correct READERSTUDY_PIXELS or the folder's owner.")


def test_prepare_may_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prepare")
    assert capsys.readouterr().out == "The database is up to date.\n"


def test_the_worker_s_probe(time: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match=r"No worker on .* was seen in the last minute"):
        call_command("worker", "--probe")
    Worker.objects.create(host=socket.gethostname()[:120], pid=1, queue="cpu", started_at=time.wall, seen_at=time.wall)
    call_command("worker", "--probe")
    assert "seen lately" in capsys.readouterr().out
    time.run(61)
    with pytest.raises(CommandError):
        call_command("worker", "--probe")


@pytest.mark.parametrize(
    ("hosts", "asked"),
    [(["study.example.org"], "study.example.org"), ([".example.org"], "example.org"), (["*"], "localhost")],
)
def test_the_web_server_s_probe_names_a_host_that_is_allowed(hosts: list[str], asked: str) -> None:
    seen: list[str] = []
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {self.headers['Host']}")
            self.send_response(status[0])
            self.end_headers()
            self.wfile.write(b"words")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert probe.ask(server.server_port, hosts) == ""
        status[0] = 503
        assert probe.ask(server.server_port, hosts) == "The web server is not ready (503): words"
        server.shutdown()
    assert seen == [f"/readyz {asked}"] * 2
    assert "does not answer on port" in probe.ask(server.server_port, hosts)
