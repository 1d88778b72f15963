"""Row 4: the web server is killed again and again while answers are on their way."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from random import Random

from bench.load.crowd import Person, crowd, failures
from bench.load.paced import Place
from bench.report import Figure
from bench.room.world import say

PAUSE = (0.6, 2.2)  # seconds between a web server that answers again and its next kill


def web_server(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """kill -9 of the web server in mid-score: what was acknowledged is stored, once, and the chain holds."""
    kills, chance = (100 if full else 25), Random(4)
    with crowd(folder, 5, 60, 32, place.database, place.broker) as here:
        stop = threading.Event()

        def keep_scoring(person: Person) -> None:
            while not stop.is_set():
                person.score(time.monotonic(), insist=True)
                time.sleep(0.05)

        threads = [threading.Thread(target=partial(keep_scoring, person)) for person in here.people]
        for thread in threads:
            thread.start()
        recoveries = []
        for number in range(kills):
            time.sleep(chance.uniform(*PAUSE))
            before = sum(len(person.acknowledged) for person in here.people)
            here.installation.kill("gunicorn")
            begun = time.monotonic()
            while sum(len(person.acknowledged) for person in here.people) <= before:
                if time.monotonic() - begun > 60:
                    raise TimeoutError(f"no answer within a minute:\n{here.installation.log()[-2000:]}")
                time.sleep(0.02)
            recoveries.append(time.monotonic() - begun)
            if number % 10 == 9:
                say(f"{number + 1} of {kills} kills")
        stop.set()
        for thread in threads:
            thread.join()
        lost, duplicated, faults = here.lost_and_duplicated()
        samples = [sample for person in here.people for sample in person.samples]
        acknowledged = sum(len(person.acknowledged) for person in here.people)
        say(f"{acknowledged} acknowledged; not 200: {failures(samples)}; chain {faults if faults else 'holds'}")
    assert not faults, faults
    return {
        "f4_lost": Figure(lost, "answers"),
        "f4_duplicated": Figure(duplicated, "answers"),
        "f4_recovery_s": Figure(max(recoveries), "s"),
        "f4_acknowledged": Figure(acknowledged, "answers"),
    }
