"""Who knows all but the secret finds nothing by trying, and why nobody ever will.

The attacker has the commitment, the protocol's hash, its seed, the moment of opening and, which no reader has, every
schedule: all that stands in the sealed envelope but the secret. The envelope is canonical JSON with its keys in order,
so ``secret`` stands last and a guess costs one SHA-256 block over a prefix hashed once: about a microsecond. 2^20
guesses are the secrets that a careless program would make (counters, moments, hashes of the seed or of the time,
Mersenne twisters seeded with them). They find nothing; a control whose secret *is* careless is found by the same
search, so that the search can find.

More guesses don't help: the secret is 32 bytes of ``secrets.token_bytes``, the operating system's generator, and
depends on neither the protocol's seed, nor the time, nor the state of ``random`` (tested below). Each of 2^256 values
is equally likely, so 2^20 guesses succeed with probability 2^-236; the whole Bitcoin network at 2^70 guesses a second
would need 2^186 seconds. A commitment to schedules alone would fall to guessing, since whoever knows the design could
list them: the secret in the envelope is what hides them, and the same secret draws them, so that neither can be chosen
to fit the other.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from readerstudy.audit.canonical import canonical_json
from readerstudy.conduct.actions import open_study
from readerstudy.schedules.commitment import SECRET_BYTES, commitment
from readerstudy.schedules.models import OrderSecret
from readerstudy.schedules.queries import stored_orders_as_data
from readerstudy.studies.models import Study
from tests.factories import World, make_draft, make_open

GUESSES = 2**20
SEED = 7
PROTOCOL = hashlib.sha256(b"protocol").hexdigest()
ORDERS = [[[0, 0, "1", [2], None], [0, 1, "2", [0], None]]]


def search(shown: str, orders: Any, protocol_hash: str, guesses: Iterable[bytes]) -> bytes | None:
    """The guess that opens the envelope; everything before the secret is hashed once."""
    sealed = canonical_json({"secret": "", "schedules": orders, "protocol": protocol_hash})
    assert sealed.endswith(b'"secret":""}')
    prefix, wanted = hashlib.sha256(sealed[:-2]), bytes.fromhex(shown)
    for guess in guesses:
        attempt = prefix.copy()
        attempt.update(guess.hex().encode() + b'"}')
        if attempt.digest() == wanted:
            return guess
    return None


def careless(seed: int, opened: datetime) -> Iterator[bytes]:
    """2^20 different secrets as careless programs make them, the likeliest first."""
    second = int(opened.timestamp())
    near = range(second - 2**15, second + 2**15)
    numbers = [seed, *range(2**16), *near, *(1000 * second + n for n in range(-(2**15), 2**15))]
    kinds = chain(
        _mixed(numbers),
        (random.Random(n).randbytes(SECRET_BYTES) for n in chain(range(2**15), near)),
        (bytes([n % 256]) * SECRET_BYTES for n in range(256)),
        (n.to_bytes(SECRET_BYTES, "big") for n in range(2**16, 2**19)),
        (hashlib.sha256(str(n).encode()).digest() for n in range(2**16, 2**18)),
    )
    known: set[bytes] = set()
    different = (guess for guess in kinds if not (guess in known or known.add(guess)))  # type: ignore[func-returns-value]
    return islice(different, GUESSES)


def _mixed(numbers: list[int]) -> Iterator[bytes]:
    """A number as bytes in either order, and what hashing or repeating it gives."""
    for n in numbers:
        yield n.to_bytes(SECRET_BYTES, "big")
        yield n.to_bytes(SECRET_BYTES, "little")
        yield hashlib.sha256(n.to_bytes(8, "big")).digest()
        yield hashlib.sha256(str(n).encode()).digest()


def test_the_search_can_find() -> None:
    """The control: secrets made from the seed, the time or a counter are found, so the search is a real one."""
    now = timezone.now()
    for weak in (
        SEED.to_bytes(SECRET_BYTES, "big"),
        hashlib.sha256(SEED.to_bytes(8, "big")).digest(),
        hashlib.sha256(str(int(now.timestamp()) - 12).encode()).digest(),
    ):
        shown = commitment(weak, ORDERS, PROTOCOL)
        assert search(shown, ORDERS, PROTOCOL, careless(SEED, now)) == weak


@pytest.mark.slow
@pytest.mark.django_db
def test_a_million_guesses_find_nothing() -> None:
    world = make_open(study={"title": "A study", "seed": SEED})
    study = Study.objects.get(pk=world.study.pk)
    sealed = OrderSecret.objects.get(study=study)
    orders = stored_orders_as_data(study)
    assert study.opened_at is not None
    truth = bytes.fromhex(sealed.secret)
    assert search(sealed.commitment, orders, study.protocol_hash, [truth]) == truth, "the attacker's hash is the real"
    tried = 0

    def counted() -> Iterator[bytes]:
        nonlocal tried
        for guess in careless(study.protocol["study"]["seed"], study.opened_at):
            tried += 1
            yield guess

    assert search(sealed.commitment, orders, study.protocol_hash, counted()) is None
    assert tried == GUESSES


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> datetime:
    moment = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)
    monkeypatch.setattr("time.time", lambda: moment.timestamp())
    return moment


def secret_of(world: World) -> OrderSecret:
    return OrderSecret.objects.get(study=world.study)


@pytest.mark.django_db
def test_the_secret_is_what_the_operating_system_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 bits asked for once and kept whole, whatever seed the protocol has."""
    given, real = [], secrets.token_bytes

    def watched(count: int | None = None) -> bytes:
        made = real(count)
        if count == SECRET_BYTES:
            given.append(made)
        return made

    monkeypatch.setattr(secrets, "token_bytes", watched)
    for seed in (0, SEED):
        given.clear()
        world = make_open(study={"title": "A study", "seed": seed})
        assert [made.hex() for made in given] == [secret_of(world).secret]


@pytest.mark.django_db
def test_the_draw_depends_on_neither_seed_nor_time_nor_random(stopped_clock: datetime) -> None:
    """The same protocol, seed, moment and state of ``random``: another secret, another commitment, another order."""
    drawn = []
    for _ in range(2):
        random.seed(SEED)
        world = make_open(study={"title": "A study", "seed": SEED})
        assert world.study.opened_at == stopped_clock
        sealed = secret_of(world)
        drawn.append((sealed.secret, sealed.commitment, stored_orders_as_data(world.study)))
    (secret, shown, orders), (other_secret, other_shown, other_orders) = drawn
    assert secret != other_secret
    assert shown != other_shown
    assert orders != other_orders


@pytest.mark.django_db
def test_nothing_but_secret_and_design_goes_into_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same secret on another day and with another state of ``random``: the same order to the last row."""
    real = secrets.token_bytes
    monkeypatch.setattr(secrets, "token_bytes", lambda n=None: bytes(range(32)) if n == SECRET_BYTES else real(n))
    draft = make_draft()
    drawn = []
    for day in (1, 2):
        random.seed(day)
        moment = timezone.now() + timedelta(days=day)
        monkeypatch.setattr("django.utils.timezone.now", lambda moment=moment: moment)
        with transaction.atomic():
            drawn.append(stored_orders_as_data(open_study(draft.study, draft.coordinator)))
            transaction.set_rollback(True)
    assert drawn[0] == drawn[1]
