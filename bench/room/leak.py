"""Two thousand frames fetched from the running product, in which nothing but the pixels may tell the arm.

``tests.security.leak`` says what is looked at and how; this module fetches. A block is one slice in all its arms, one
after the other in random order; every round goes through all slices in another order.
"""

from __future__ import annotations

import dataclasses
import http.client
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from urllib.parse import urlsplit

from bench.report import Figure, table
from bench.room.world import Shown, World, get, say, sign_in, world
from tests.security.leak import LARGEST_AUC, PLANTED_AUC, Response, examine

RESPONSES, WARMING = 2000, 100
SLICES, SIDE = 50, 256


def blocks(shown: Sequence[Shown], count: int, seed: int) -> Iterator[list[Shown]]:
    """At least ``count`` presentations in whole blocks, arms interleaved within and slices without order."""
    chance, by_slice = Random(seed), defaultdict(list)
    for row in shown:
        by_slice[row.slice].append(row)
    done = 0
    while True:
        for number in chance.sample(sorted(by_slice), len(by_slice)):
            if done >= count:
                return
            done += len(by_slice[number])
            yield chance.sample(by_slice[number], len(by_slice[number]))


def record(here: World, count: int = RESPONSES, seed: int = 1) -> list[Response]:
    """Fetch frames as the signed-in reader over one kept connection, and note all that can be measured of each."""
    cookie = sign_in(here)
    get(here, here.room(), cookie)
    place = urlsplit(here.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    found: list[Response] = []
    told = time.monotonic()
    try:
        for number, block in enumerate(blocks(here.shown, WARMING + count, seed)):
            found += [fetch(connection, row, number, cookie) for row in block]
            if time.monotonic() > told + 2:
                told = time.monotonic()
                say(f"{len(found)} of {WARMING + count} responses")
    finally:
        connection.close()
    return [r for r in found if r.block >= found[WARMING].block]


def fetch(connection: http.client.HTTPConnection, row: Shown, block: int, cookie: str) -> Response:
    begun = time.perf_counter()
    connection.request("GET", row.frame, headers={"Cookie": cookie})
    answer = connection.getresponse()
    first_byte = time.perf_counter() - begun
    content = answer.read()
    total = time.perf_counter() - begun
    assert answer.status == 200, f"{row.frame}: {answer.status}"
    headers = tuple(answer.getheaders())
    return Response(row.slice, row.arm, row.id, block, answer.status, len(content), headers, first_byte, total)


def planted(responses: Sequence[Response], arm: str) -> list[Response]:
    """The same with a header more, whose last byte is another one for ``arm``."""
    return [
        dataclasses.replace(r, headers=(*r.headers, ("X-Served-By", "web-b" if r.arm == arm else "web-a")))
        for r in responses
    ]


def run(here: World) -> dict[str, Figure]:
    say(f"Fetching {WARMING + RESPONSES} frames ...")
    responses = record(here)
    verdict = examine(responses)
    say(str(verdict))
    control = examine(planted(responses, responses[0].arm))
    say(f"With one header byte planted: {control}")
    return {
        "leak_auc": Figure(verdict.largest, "AUC", LARGEST_AUC, "limit"),
        "leak_p": Figure(verdict.p, "p"),
        "leak_planted_auc": Figure(control.largest, "AUC", PLANTED_AUC, "at least"),
        "leak_responses": Figure(float(len(responses)), "count"),
    }


if __name__ == "__main__":
    with world(SLICES, SIDE) as opened:
        print(table(run(opened)))
