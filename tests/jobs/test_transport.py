"""The filesystem broker: whole messages, one taker each, no pile."""

from __future__ import annotations

import threading

import pytest
from kombu import Connection

from readerstudy.jobs import transport


@pytest.fixture
def channel(tmp_path):
    folder = tmp_path / "queue"
    with Connection(
        "filesystem://localhost",
        transport="readerstudy.jobs.transport:Transport",
        transport_options={"folder": str(folder)},
    ) as connection:
        channel = connection.channel()
        channel.test_folder = folder
        yield channel


def test_messages_come_back_in_order_and_once(channel):
    channel._put("cpu", {"body": "1"})
    channel._put("cpu", {"body": "2"})
    channel._put("gpu", {"body": "3"})
    assert [channel._get("cpu")["body"], channel._get("cpu")["body"]] == ["1", "2"]
    with pytest.raises(transport.Empty):
        channel._get("cpu")
    assert channel._size("gpu") == 1


def test_a_message_half_written_is_not_seen(channel):
    channel._put("cpu", {"body": "1"})
    (channel.test_folder / "00_half.part").write_text('{"bo')
    assert channel._size("cpu") == 1


def test_wake_ups_do_not_pile_up_while_no_worker_runs(channel):
    for _ in range(100):
        channel._put("cpu", {"body": ""})
    assert channel._size("cpu") == transport.WAITING_AT_MOST
    assert channel._purge("cpu") == transport.WAITING_AT_MOST
    assert list(channel.test_folder.iterdir()) == []


def test_two_takers_never_get_the_same_message(channel):
    for number in range(30):
        channel._put("cpu", {"body": str(number)})
    taken: list[str] = []

    def take() -> None:
        while True:
            try:
                taken.append(channel._get("cpu")["body"])
            except transport.Empty:
                return

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(30)]
