"""Threads that claim against each other: ``python -m tests.faults.racing THREADS``; prints what was got."""

from __future__ import annotations

import json
import os
import sys
import threading

import django


def main(threads: int) -> None:
    from django.db import connection

    from readerstudy.jobs import claims

    claimed: list[tuple[str, int]] = []
    barrier = threading.Barrier(threads)

    def take() -> None:
        barrier.wait()
        while taken := claims.claim("cpu", "racer"):
            claimed.append((taken.key, taken.attempt))
            claims.finish(taken)
        connection.close()

    racers = [threading.Thread(target=take) for _ in range(threads)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    print(json.dumps(claimed))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.faults.settings")
    django.setup()
    main(int(sys.argv[1]))
