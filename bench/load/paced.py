"""Rows 1 to 3: readers at their pace beside a busy worker, a burst, and two hundred who fetch slices."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

from bench.load.crowd import Crowd, Person, Sample, busy_worker, crowd, failures, percentile
from bench.report import Figure
from bench.room.world import say


class Place(Protocol):
    """Where a row runs."""

    database: str
    broker: str


def _said(what: str, samples: list[Sample]) -> None:
    latencies = ", ".join(f"p{share} {percentile(samples, share):.0f} ms" for share in (50, 95, 99))
    say(f"{what}: {len(samples)} requests, {latencies}, not 200: {failures(samples) or 'none'}")


def _lost(here: Crowd) -> int:
    lost, duplicated, faults = here.lost_and_duplicated()
    say(f"{lost} lost, {duplicated} duplicated, chain {faults if faults else 'holds'}")
    return lost + duplicated + len(faults)


def steady(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """10 readers, one score a second each, while a worker writes all the time."""
    seconds = 600.0 if full else 120.0
    with crowd(folder, 10, 40, 32, place.database, place.broker) as here:
        with busy_worker(here.installation, seconds + 4):
            samples = here.run(Person.score, 1.0, seconds)
        _said("10 readers x 1 score/s", samples)
        errors = sum(failures(samples).values()) + _lost(here)
    return {
        "f1_p95_ms": Figure(percentile(samples, 95), "ms"),
        "f1_p99_ms": Figure(percentile(samples, 99), "ms"),
        "f1_errors": Figure(errors, "answers"),
    }


def burst(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """5 readers x 10 scores a second, then x 20, half a minute each, on slices enough for all of them."""
    with crowd(folder, 5, 230, 32, place.database, place.broker) as here:
        at_ten = here.run(Person.score, 0.1, 30.0)
        _said("5 readers x 10 scores/s", at_ten)
        at_twenty = here.run(Person.score, 0.05, 30.0)
        _said("5 readers x 20 scores/s", at_twenty)
        lost = _lost(here)
    errors = sum(n for status, n in failures(at_ten + at_twenty).items() if status >= 500 or status == 0)
    return {
        "f2_p95_ms": Figure(percentile(at_ten, 95), "ms"),
        "f2_p95_at_20_ms": Figure(percentile(at_twenty, 95), "ms"),
        "f2_lost": Figure(lost, "answers"),
        "f2_http_5xx": Figure(errors, "answers"),
    }


def many_readers(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """200 readers, one next slice each per 6 s, while ten of them score once a second beside it."""
    seconds = 300.0 if full else 60.0
    with crowd(folder, 210, 20, 512, place.database, place.broker) as here:
        looking, scoring = here.people[10:], here.people[:10]
        scorers = Crowd(here.installation, here.url, here.studies, scoring)
        scores: list[Sample] = []
        beside = threading.Thread(target=lambda: scores.extend(scorers.run(Person.score, 1.0, seconds)))
        beside.start()
        samples = Crowd(here.installation, here.url, here.studies, looking).run(Person.look, 6.0, seconds)
        beside.join()
        _said("200 readers, one slice per 6 s", samples)
        _said("scores beside it", scores)
        errors = sum(failures(samples + scores).values()) + _lost(scorers)
    return {
        "f3_p95_ms": Figure(percentile(samples, 95), "ms"),
        "f3_score_p95_ms": Figure(percentile(scores, 95), "ms"),
        "f3_errors": Figure(errors, "answers"),
    }
