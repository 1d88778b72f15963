"""The method guess: after the last signature only, the same images every time, stored once."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from readerstudy.audit import actions as audit
from readerstudy.audit.models import Entry
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import Closed, Guess, ReadingError, record_guesses
from readerstudy.reading.guessing import guess_items
from readerstudy.reading.models import MethodGuess
from readerstudy.schedules.models import OrderSecret, Pane
from readerstudy.studies.models import Study
from tests.factories import ARMS, World, make_open, read_session
from tests.reading.test_races import at_once

pytestmark = pytest.mark.django_db
SMALL = {"sessions": {"number": 2}, "slices": {"number": 6}, "design": {"readers": 1, "guess_images": 2}}


@pytest.fixture
def world() -> World:
    """One reader who has signed everything."""
    made = make_open(**SMALL)
    for session in made.sessions():
        read_session(made.readers[0], session)
    return made


@pytest.fixture
def reader(world: World) -> Client:
    client = Client()
    client.force_login(world.readers[0])
    return client


def page(world: World) -> str:
    return reverse("reading:guess", args=[world.schedule().token])


def guesses(world: World, guessed: str = ARMS[0]) -> list[Guess]:
    return [Guess(item.presentation, item.pane, guessed) for item in guess_items(world.schedule())]


def arms_of(world: World) -> list[str]:
    items = guess_items(world.schedule())
    return [Pane.objects.get(presentation=i.presentation, index=i.pane).arm.key for i in items]  # type: ignore[union-attr]


def test_the_draw_has_as_many_images_of_each_arm_and_is_always_the_same(world: World) -> None:
    assert Counter(arms_of(world)) == dict.fromkeys(ARMS, 2)
    assert guess_items(world.schedule()) == guess_items(world.schedule())
    assert len(set(guess_items(world.schedule()))) == 8
    before = [i.presentation for i in guess_items(world.schedule())]
    OrderSecret.objects.update(secret="00" * 32)
    assert [i.presentation for i in guess_items(world.schedule())] != before


def test_the_order_of_the_page_does_not_tell_the_arms() -> None:
    orders = set()
    for _ in range(4):
        made = make_open(**SMALL)
        orders.add(tuple(arms_of(made)))
    assert len(orders) > 1


def test_a_pairwise_study_asks_about_either_pane() -> None:
    texts = {"left": "left", "equal": "equal", "right": "right"}
    criteria = [{"key": "overall", "title": "Overall", "question": "Which?", "texts": texts}]
    made = make_open(criteria=criteria, design={"kind": "pairwise", "readers": 1, "guess_images": 4})
    assert Counter(arms_of(made)) == dict.fromkeys(ARMS, 4)
    assert {item.pane for item in guess_items(made.schedule())} == {0, 1}


def test_nothing_before_the_last_signature() -> None:
    made = make_open(**SMALL)
    client = Client()
    client.force_login(made.readers[0])
    first, second = made.sessions()
    read_session(made.readers[0], first)
    read_session(made.readers[0], second, sign=False)
    assert client.get(page(made)).status_code == 404
    with pytest.raises(Closed, match="after your last signature"):
        record_guesses(made.readers[0], made.schedule(), guesses(made))


@pytest.mark.parametrize("change", [{"state": Study.State.CLOSED}, {"protocol": "without guess_images"}])
def test_no_page_when_the_study_is_closed_or_asks_for_no_guess(change: dict[str, object], world: World) -> None:
    if "protocol" in change:
        design = {k: v for k, v in world.study.protocol["design"].items() if k != "guess_images"}
        change = {"protocol": {**world.study.protocol, "design": design}}
    Study.objects.filter(pk=world.study.pk).update(**change)
    client = Client()
    client.force_login(world.readers[0])
    assert client.get(page(world)).status_code == 404


def test_a_paused_study_takes_no_guesses(world: World) -> None:
    Study.objects.filter(pk=world.study.pk).update(paused=True)
    with pytest.raises(Closed, match="paused"):
        record_guesses(world.readers[0], world.schedule(), guesses(world))
    client = Client()
    client.force_login(world.readers[0])
    assert client.get(page(world)).status_code == 423


def test_guesses_are_rows_and_one_entry(world: World) -> None:
    given = guesses(world)
    given[0] = Guess(given[0].presentation, given[0].pane, "", "all look alike")
    record_guesses(world.readers[0], world.schedule(), given)
    entry = Entry.objects.get(verb="guess")
    assert entry.data["guesses"][0] == {
        "presentation": given[0].presentation, "pane": given[0].pane, "guessed": "", "reason": "all look alike",
    }  # fmt: skip
    assert MethodGuess.objects.filter(entry=entry).count() == 8
    assert list(audit.verify(world.study.chain)) == []
    with pytest.raises(Closed, match="stored already"):
        record_guesses(world.readers[0], world.schedule(), given)


def test_every_image_is_answered_with_a_method_of_the_study(world: World) -> None:
    given = guesses(world)
    for wrong in (given[1:], [given[1], *given[1:]], [*given[1:], Guess("elsewhere", 0, "")]):
        with pytest.raises(ReadingError, match="every image"):
            record_guesses(world.readers[0], world.schedule(), wrong)
    with pytest.raises(ReadingError, match="of this study"):
        record_guesses(world.readers[0], world.schedule(), guesses(world, "no such arm"))
    long = [*given[1:], Guess(given[0].presentation, given[0].pane, "", "x" * 401)]
    with pytest.raises(ReadingError, match="400 characters"):
        record_guesses(world.readers[0], world.schedule(), long)


def test_the_page_takes_all_guesses_once(world: World, reader: Client) -> None:
    content = reader.get(page(world)).content.decode()
    places = [content.index(f'<option value="{key}">') for key in (*ARMS, "don&#x27;t know")]
    assert places == sorted(places), "the protocol's order, then don't know"
    assert "selected" not in content.replace('<option value="" selected>', "")
    sent = {f"guess_{n}": ARMS[1] for n in range(8)}
    incomplete = reader.post(page(world), {**sent, "guess_5": "", "reason_4": "the noise"})
    assert "still lack a choice" in incomplete.content.decode() and "the noise" in incomplete.content.decode()
    assert not MethodGuess.objects.exists()
    sent |= {"guess_0": "don't know", "reason_0": "can't say"}
    assert reader.post(page(world), sent)["Location"] == page(world)
    assert "Thank you" in reader.get(page(world)).content.decode()
    assert sorted(MethodGuess.objects.values_list("guessed", "reason"))[0] == ("", "can't say")
    again = reader.post(page(world), sent)
    assert again.status_code == 423 and "stored already" in again.content.decode()
    assert "Sent" in reader.get(reverse("reading:worklist")).content.decode()


@pytest.mark.django_db(transaction=True)
def test_twenty_submits_at_once_store_one_set() -> None:
    made = make_open(**SMALL)
    for session in made.sessions():
        read_session(made.readers[0], session)
    schedule, given = made.schedule(), guesses(made)
    results = at_once(lambda: record_guesses(made.readers[0], schedule, given), 20)
    assert sum(isinstance(result, Closed) for result in results) == 19
    assert MethodGuess.objects.count() == 8 and Entry.objects.filter(verb="guess").count() == 1
    assert list(audit.verify(made.study.chain)) == []


def test_a_guess_is_kept_by_the_database_and_checked_against_the_chain(world: World) -> None:
    record_guesses(world.readers[0], world.schedule(), guesses(world))
    assert list(verify_study(world.study)) == []
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        MethodGuess.objects.update(guessed="")
    entry = Entry.objects.get(verb="guess")
    item = Pane.objects.exclude(guess__isnull=False).filter(presentation__session__schedule=world.schedule())[0]
    MethodGuess.objects.create(pane=item, guessed="", entry=entry)
    assert any("method guess" in fault for fault in verify_study(world.study))
