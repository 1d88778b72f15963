"""Two tabs, two devices, the back button and double submits in any order: one score per image, every change an event.

The short form here; READERSTUDY_INTERLEAVINGS=1000 runs as many as the promise says.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readerstudy.audit.actions import verify
from readerstudy.audit.models import Entry
from readerstudy.reading.actions import start_session
from readerstudy.reading.models import Score
from tests.factories import make_open

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("READERSTUDY_INTERLEAVINGS", "60"))
IMAGES = 3
NAMESPACE = UUID(int=9)

ANSWER = st.tuples(st.just("answer"), st.integers(0, 2), st.integers(0, IMAGES - 1), st.integers(1, 5), st.booleans())
AGAIN = st.tuples(st.just("again"), st.integers(0, 2), st.integers(0, 30))
BACK = st.tuples(st.just("back"), st.integers(0, 2))


@dataclass
class Model:
    """What must be true: the value of every image, and how many changes were acknowledged."""

    values: dict[str, int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    sent: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)

    def answered(self, body: dict[str, Any], status: int, reply: dict[str, Any]) -> None:
        presentation, value = body["presentation"], body["answers"]["overall"]["value"]
        held = self.values.get(presentation)
        if status == 200:
            assert reply["key"] == body["key"] and reply["stored"] is True
            if reply["duplicate"]:
                assert body["key"] in self.acknowledged
                return
            assert body["key"] not in self.acknowledged, "one key was stored twice"
            assert held in (None, value) or body["replaces"], "a score changed without being asked"
            self.values[presentation] = value
            self.events[presentation] += 1
            self.acknowledged.add(body["key"])
        elif status == 409:
            assert held is not None and held != value and not body["replaces"]
            assert reply["stored"] == {"overall": {"value": held}}
        else:
            assert status in (400, 423), f"{status}: {reply}"
            assert reply["error"] and body["key"] not in self.acknowledged


@pytest.fixture
def opened() -> tuple[Any, Any, list[str], str]:
    world = make_open()
    reader, session = world.readers[0], world.sessions()[0]
    start_session(reader, session)
    return world.study, reader, [str(row.pk) for row in world.presentations()[:IMAGES]], session.token


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.one_of(ANSWER, ANSWER, AGAIN, BACK), min_size=1, max_size=14))
def test_any_interleaving_leaves_one_score_per_image(opened: Any, steps: list[tuple[Any, ...]]) -> None:
    study, reader, shown, token = opened
    devices = [Client(raise_request_exception=True) for _ in range(3)]  # two tabs of one browser, and another device
    with transaction.atomic():
        for device in devices:
            device.force_login(reader)
        devices[1].cookies = devices[0].cookies
        model = Model()
        for number, step in enumerate(steps):
            _act(model, devices, shown, token, number, step)
        _check(model, study, shown)
        transaction.set_rollback(True)


def _act(model: Model, devices: list[Client], shown: list[str], token: str, number: int, step: tuple[Any, ...]) -> None:
    device = devices[step[1]]
    if step[0] == "back":
        assert device.get(f"/reading/{token}/").status_code == 200
        return
    if step[0] == "again":
        if not model.sent:
            return
        body = model.sent[step[2] % len(model.sent)]
    else:
        _, _, image, value, replaces = step
        key = str(uuid5(NAMESPACE, f"{number}"))
        body = {
            "key": key, "presentation": shown[image], "answers": {"overall": {"value": value}}, "replaces": replaces
        }  # fmt: skip
        model.sent.append(body)
    response = device.post("/reading/answers/", json.dumps(body), content_type="application/json")
    model.answered(body, response.status_code, response.json())


def _check(model: Model, study: Any, shown: list[str]) -> None:
    stored = Counter(Score.objects.filter(presentation__in=shown).values_list("presentation", flat=True))
    assert all(count == 1 for count in stored.values())
    live = {str(s.presentation_id): s.value for s in Score.objects.filter(presentation__in=shown)}
    assert live == model.values
    entries = Entry.objects.filter(chain__name=study.chain, verb="score")
    assert Counter(entry.data["presentation"] for entry in entries) == model.events
    assert {entry.data["key"] for entry in entries} == model.acknowledged
    assert list(verify(study.chain)) == []
