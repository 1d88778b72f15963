"""Writers of the SQLite file take turns, and never depend on it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from readerstudy.sqlite.turns import Turns


def keep_writing(path: str, seconds: float, counted: object) -> None:
    """Take turn after turn without any pause, as a busy worker does."""
    turns, until = Turns(path), time.monotonic() + seconds
    while time.monotonic() < until:
        turns.take(5.0)
        time.sleep(0.002)
        turns.give_back()
        counted.value += 1  # type: ignore[attr-defined]


def test_a_writer_without_pause_lets_another_process_in(tmp_path: Path) -> None:
    path = str(tmp_path / "db")
    context = multiprocessing.get_context("spawn")
    counted = context.Value("i", 0)
    busy = context.Process(target=keep_writing, args=(path, 3.0, counted), daemon=True)
    busy.start()
    while counted.value == 0:
        time.sleep(0.01)
    turns, waited = Turns(path), []
    while busy.is_alive() and len(waited) < 50:
        before, started = counted.value, time.monotonic()
        assert turns.take(5.0)
        waited.append((counted.value - before, time.monotonic() - started))
        turns.give_back()
        time.sleep(0.01)
    busy.join()
    assert len(waited) == 50
    assert max(others for others, _ in waited) <= 2, "whoever waits is next, after the one who is writing"


def test_two_threads_never_have_it_together(tmp_path: Path) -> None:
    inside, most = [], []

    def write() -> None:
        turns = Turns(str(tmp_path / "db"))
        for _ in range(30):
            assert turns.take(10.0)
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.0005)
            inside.pop()
            turns.give_back()
        turns.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(most) == 120


def test_without_the_turn_in_time_it_goes_on(tmp_path: Path) -> None:
    first, second = Turns(str(tmp_path / "db")), Turns(str(tmp_path / "db"))
    assert first.take(1.0) and first.take(1.0), "one's own turn is no wait"
    assert not second.take(0.02) and not second.mine
    second.give_back()
    first.close()
    assert second.take(0.02), "who has closed waits for nobody and holds up nobody"
    second.close()
    assert not Turns(str(tmp_path / "missing" / "db")).take(0.02)


def test_a_fork_does_not_share_the_turn(tmp_path: Path) -> None:
    turns = Turns(str(tmp_path / "db"))
    assert turns.take(1.0)
    child = os.fork()
    if child == 0:
        turns.give_back()  # not the child's to give
        os._exit(0 if not Turns(str(tmp_path / "db")).take(0.02) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    turns.close()


@pytest.mark.django_db(transaction=True)
def test_transactions_of_the_database_take_it_and_give_it_back() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("turns are SQLite's")
    connection.ensure_connection()  # a connection made anew has turns of its own
    turns = connection._turns
    assert not turns.mine
    with transaction.atomic():
        assert turns.mine
        with transaction.atomic():
            pass
        assert turns.mine, "a savepoint is no end"
    assert not turns.mine
    with pytest.raises(ValueError), transaction.atomic():
        raise ValueError
    assert not turns.mine
    with transaction.atomic():
        connection.close()
    assert not turns.mine
