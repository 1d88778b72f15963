"""Studies in every state with their people, arms, slices, images and orders; what was read follows in ``scores``."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bench.filled.cases import LEVELS, METHODS, MODALITIES, SLICES, START, Images, sha
from bench.filled.load import load, say
from readerstudy.accounts.models import User
from readerstudy.schedules.models import Frame, OrderSecret, Pane, Presentation, Schedule, Session
from readerstudy.studies import protocol as protocols
from readerstudy.studies.models import Arm, Criterion, Membership, Reader, Study, StudyImage, StudySlice

ARMS = METHODS[1:]
DRAWN, SESSIONS = 100, 4
TEXTS = {"1": "unusable", "2": "poor", "3": "fair", "4": "good", "5": "excellent"}
ASKED = ("overall", "noise", "sharpness", "contrast", "artefacts")
STATES = ("unblinded", "unblinded", "unblinded", "unblinded", "locked", "locked", "closed", "open", "open", "open")
DAY = 86_400


@dataclass(frozen=True)
class People:
    coordinator: User
    second: User
    analyst: User
    readers: list[User]


@dataclass(frozen=True)
class Sitting:
    """One session with the ids of its presentations and whose it is."""

    id: int
    reader: str
    presentations: list[str]
    signed: bool


@dataclass(frozen=True)
class Made:
    """One study: its row, the ids of its criteria, its sessions, and its number in the order of opening."""

    study: Study
    number: int
    criteria: list[int]
    sittings: list[Sitting]


class Writer:
    """Writes one study after the other, ids counted on."""

    def __init__(self, images: Images, people: People) -> None:
        self.images, self.people = images, people
        self.ids: dict[type[Any], int] = {}
        self.chance = random.Random(4)

    def write(self, number: int, readers: int, criteria: int) -> Made:
        """A study that ``readers`` people read on ``criteria`` questions; without readers it is a draft."""
        study = self._study(number, readers, criteria)
        arms = Arm.objects.bulk_create(
            Arm(study=study, position=i, key=m, title=m.replace("_", " "), method=m, levels=LEVELS)
            for i, m in enumerate(ARMS)
        )
        asked = Criterion.objects.bulk_create(
            Criterion(study=study, position=i, key=key, title=key.title(), question="How good?", texts=TEXTS)
            for i, key in enumerate(ASKED[:criteria])
        )
        rows, sittings = self._readers(study, number, readers), []
        if rows:
            places = self._slices(study, [arm.pk for arm in arms])
            for reader in rows:
                sittings += self._schedule(study, reader, places, [arm.pk for arm in arms])
            key = secrets.token_hex(32)
            OrderSecret.objects.create(study=study, secret=key, commitment=sha(key))
        return Made(study, number, [row.pk for row in asked], sittings)

    def take(self, model: type[Any], count: int) -> int:
        """The first of ``count`` ids."""
        first = self.ids.get(model, 1)
        self.ids[model] = first + count
        return first

    def _study(self, number: int, readers: int, criteria: int) -> Study:
        state, at = STATES[number % len(STATES)] if readers else "draft", START + timedelta(days=number / 2)
        rules = protocols.from_data({
            "study": {"title": f"Study {number:03d}", "seed": number}, "slices": {"number": DRAWN},
            "arms": [{"key": m, "title": m, "method": m, "levels": LEVELS} for m in ARMS],
            "criteria": [{"key": k, "title": k, "question": "How good?", "texts": TEXTS} for k in ASKED[:criteria]],
            "display": {"check": "off"}, "sessions": {"number": SESSIONS},
            "design": {"readers": max(1, readers), "reserves": 0}, "plan": {"primary_criterion": "overall"},
        })  # fmt: skip
        past = STATES[::-1].index(state) if readers else -1
        study = Study.objects.create(
            title=f"Study {number:03d}", state=state, protocol=rules.as_data(), plan=rules.plan_as_data(),
            protocol_hash=sha("protocol", number) if readers else "", plan_hash=sha("plan", number) if readers else "",
            created_by=self.people.coordinator, opened_at=at if readers else None,
            closed_at=at + timedelta(days=9) if past >= 3 else None,
            locked_at=at + timedelta(days=10) if past >= 4 else None,
            unblinded_at=at + timedelta(days=11) if state == "unblinded" else None,
        )  # fmt: skip
        roles = [(self.people.coordinator, "coordinator"), (self.people.second, "coordinator")]
        roles.append((self.people.analyst, "analyst"))
        Membership.objects.bulk_create(Membership(study=study, user=user, role=role) for user, role in roles)
        return study

    def _readers(self, study: Study, number: int, count: int) -> list[Reader]:
        people = [self.people.readers[(number * 5 + k) % len(self.people.readers)] for k in range(count)]
        memberships = Membership.objects.bulk_create(Membership(study=study, user=u, role="reader") for u in people)
        return Reader.objects.bulk_create(
            Reader(study=study, membership=row, number=k) for k, row in enumerate(memberships, start=1)
        )

    def _slices(self, study: Study, arms: list[int]) -> list[tuple[int, int, int]]:
        """(id, case, index) of every drawn slice, with the frozen image of every arm."""
        first = self.take(StudySlice, DRAWN)
        drawn = self.chance.sample(range(self.images.cases * SLICES), DRAWN)
        places = [(first + n, *divmod(place, SLICES)) for n, place in enumerate(drawn)]
        columns = ("id", "study_id", "position", "slice_id", "stratum", "window_center", "window_width")
        load(StudySlice, columns, (
            (pk, study.pk.hex, n, self.images.slice_id(case, k), MODALITIES[case % 3], 40.0, 400.0)
            for n, (pk, case, k) in enumerate(places, start=1)
        ))  # fmt: skip
        load(StudyImage, ("arm_id", "study_slice_id", "reconstruction_id", "pixels"), (
            (arm, pk, self.images.reconstruction(case, 1 + a, k), self.images.pixels)
            for pk, case, k in places for a, arm in enumerate(arms)
        ))  # fmt: skip
        return places

    def _schedule(
        self, study: Study, reader: Reader, places: list[tuple[int, int, int]], arms: list[int]
    ) -> list[Sitting]:
        schedule = Schedule.objects.create(
            study=study, number=reader.number, reader=reader, token=secrets.token_urlsafe(16)
        )
        started = START + timedelta(days=1)
        sessions = Session.objects.bulk_create(
            Session(schedule=schedule, number=n, token=secrets.token_urlsafe(16), started_at=started)
            for n in range(1, SESSIONS + 1)
        )
        shown = [(n, slot, (slot + n) % len(arms)) for n in range(SESSIONS) for slot in self._mixed(len(places))]
        ids = [secrets.token_urlsafe(16) for _ in shown]
        load(Presentation, ("id", "session_id", "position", "kind", "round", "study_slice_id"), (
            (own, sessions[n].pk, place % DRAWN, "main", n, places[slot][0])
            for place, (own, (n, slot, _)) in enumerate(zip(ids, shown, strict=True))
        ))  # fmt: skip
        self._write_panes(ids, shown, places, arms)
        reads, ended = f"u-reader{reader.number}", study.state != "open"
        return [
            Sitting(row.pk, reads, ids[n * DRAWN : (n + 1) * DRAWN], ended or n < SESSIONS - 1)
            for n, row in enumerate(sessions)
        ]

    def _mixed(self, count: int) -> list[int]:
        return self.chance.sample(range(count), count)

    def _write_panes(
        self, ids: list[str], shown: list[tuple[int, int, int]], places: list[tuple[int, int, int]], arms: list[int]
    ) -> None:
        first = self.take(Pane, len(ids))
        load(Pane, ("id", "presentation_id", "index", "arm_id", "run_id"), (
            (first + i, own, 0, arms[arm], self.images.run(places[slot][1], 1 + arm))
            for i, (own, (_, slot, arm)) in enumerate(zip(ids, shown, strict=True))
        ))  # fmt: skip
        load(Frame, ("pane_id", "index", "offset", "reconstruction_id", "pixels"), (
            (first + i, 0, 0, self.images.reconstruction(places[slot][1], 1 + arm, places[slot][2]), self.images.pixels)
            for i, (_, slot, arm) in enumerate(shown)
        ))  # fmt: skip


def shares(studies: int, scores: int) -> list[tuple[int, int]]:
    """(readers, criteria) of every study so that the scores add up: a very large one, paper-sized ones, drafts."""
    usual, large = DRAWN * len(ARMS) * 5, DRAWN * len(ARMS) * 25 * 5
    several = scores >= 10 * large
    left = scores - (large if several else 0)
    rest = [(5, 1)] * (left // usual)
    sizes = ([(25, 5)] if several else []) + rest
    return [*sizes, *[(0, 1)] * (studies - len(sizes))][:studies]


def fill_studies(images: Images, people: People, studies: int, scores: int) -> Iterator[Made]:
    """The studies one by one, the very large one somewhere in the middle, open."""
    sizes = shares(studies, scores)
    middle = next(n for n in range(studies // 2, studies) if STATES[n % len(STATES)] == "open")
    sizes[0], sizes[middle] = sizes[middle], sizes[0]
    writer = Writer(images, people)
    for number, (readers, criteria) in enumerate(sizes):
        yield writer.write(number, readers, criteria)
        if (number + 1) % 50 == 0:
            say(f"{number + 1} studies")
