"""Figures for a monitoring system: only with the token, in Prometheus' text, also without a database."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from readerstudy.jobs import claims, metrics
from readerstudy.jobs.models import Worker

pytestmark = pytest.mark.django_db
TOKEN = "a token of at least twenty characters"
SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})? [0-9.e+-]+')


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def ask(authorization: str = f"Bearer {TOKEN}") -> Any:
    return Client().get("/metrics", headers={"authorization": authorization} if authorization else {})


@pytest.mark.parametrize(
    "wrong", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Bearer é"]
)
def test_without_the_token_there_is_nothing_here(wrong: str) -> None:
    assert ask(wrong).status_code == 404


def test_without_a_token_in_the_settings_there_is_nothing_for_anybody(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert ask("Bearer ").status_code == 404 and ask().status_code == 404


def test_it_is_prometheus_text_and_only_read() -> None:
    answer = ask()
    assert answer.status_code == 200 and answer["Content-Type"] == metrics.CONTENT_TYPE
    assert "no-store" in answer["Cache-Control"]
    lines = answer.content.decode().splitlines()
    assert answer.content.endswith(b"\n") and lines
    assert all(
        line.startswith(("# HELP readerstudy_", "# TYPE readerstudy_")) or SAMPLE.fullmatch(line) for line in lines
    )
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")} == typed
    assert Client().post("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 405


def test_jobs_the_queue_and_the_workers_are_counted(submit: Any, time: Any) -> None:
    submit("a")
    submit("b")
    claims.claim("cpu", "w")
    time.run(90)
    Worker.objects.create(host="h", pid=1, queue="cpu,gpu", started_at=time.wall, seen_at=time.wall)
    Worker.objects.create(host="h", pid=2, queue="cpu", started_at=time.wall, seen_at=time.wall)
    content = ask().content.decode()
    for line in (
        'readerstudy_jobs{kind="work",state="queued"} 1', 'readerstudy_jobs{kind="work",state="running"} 1',
        'readerstudy_jobs{kind="work",state="failed"} 0', "readerstudy_oldest_queued_job_seconds 90",
        'readerstudy_workers{queue="cpu"} 2', 'readerstudy_workers{queue="gpu"} 1', "readerstudy_database_up 1",
    ):  # fmt: skip
        assert f"{line}\n" in content
    assert re.search(r'readerstudy_disk_free_bytes\{folder="data"\} [1-9]', content)
    assert re.search(r'readerstudy_build_info\{version="[^"]+",python="3[^"]+",django="5[^"]+"\} 1', content)


def test_a_dead_worker_is_not_counted_and_an_empty_queue_has_no_age(time: Any) -> None:
    Worker.objects.create(host="h", pid=1, queue="cpu", started_at=time.wall, seen_at=time.wall)
    time.run(61)
    content = ask().content.decode()
    assert 'readerstudy_workers{queue="cpu"} 0\n' in content and "oldest_queued_job_seconds 0\n" in content


def test_a_database_that_is_away_is_a_figure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError

    monkeypatch.setattr(metrics, "of_jobs", away)
    content = ask().content.decode()
    assert "readerstudy_database_up 0\n" in content and "readerstudy_disk_free_bytes" in content
    assert "readerstudy_jobs{" not in content


def test_labels_are_escaped() -> None:
    made = metrics.text([metrics.Figure("x", "a\nb", [({"n": 'q"\\\n'}, 2.5)])])
    assert made == '# HELP readerstudy_x a\\nb\n# TYPE readerstudy_x gauge\nreaderstudy_x{n="q\\"\\\\\\n"} 2.5\n'
