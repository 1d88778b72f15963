"""Fill the database that the settings name: only an empty one, and only with what this program made up."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from bench.filled.cases import fill_cases
from bench.filled.exports import fill_exports
from bench.filled.load import hurried, say
from bench.filled.scores import ChainWriter
from bench.filled.studies import People, fill_studies
from readerstudy.accounts.models import User
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.readings import score_rows
from readerstudy.reading.models import Score
from readerstudy.studies.models import Study


@dataclass(frozen=True)
class Size:
    """How much of everything; the figures of the issue are the default."""

    cases: int = 10_000
    studies: int = 500
    scores: int = 1_000_000
    exports: int = 200

    def divided(self, by: int) -> Size:
        return Size(
            max(100, self.cases // by), max(10, self.studies // by), max(4000, self.scores // by),
            max(6, self.exports // by),
        )  # fmt: skip


def fill(size: Size) -> People:
    """Cases, exports, studies and scores; says what is there as it grows."""
    if User.objects.exists():
        sys.exit("DATABASE_URL names a database that is not empty: the bench fills an empty one only.")
    with hurried():
        people = _people()
        images = fill_cases(size.cases, people.coordinator)
        fill_exports(size.exports)
        chains = ChainWriter()
        for made in fill_studies(images, people, size.studies, size.scores):
            chains.write(made)
        _snapshot()
        say(f"{Study.objects.count():,} studies, {Score.objects.count():,} scores")
    return people


def _people() -> People:
    """The people with roles, and as many again as a hospital has; nobody has a password."""
    coordinator = User.objects.create(username="coordinator", may_coordinate=True)
    second = User.objects.create(username="second", may_coordinate=True)
    analyst = User.objects.create(username="analyst")
    User.objects.create(username="administrator", is_staff=True, is_superuser=True)
    User.objects.create(username="stranger")
    readers = User.objects.bulk_create(User(username=f"reader{n:03d}") for n in range(120))
    User.objects.bulk_create(User(username=f"person{n:03d}") for n in range(400))
    return People(coordinator, second, analyst, readers)


def _snapshot() -> None:
    """One study's facts and the long table of its scores, for the API's pages of scores."""
    from readerstudy.analytics.gathering import study_facts
    from readerstudy.analytics.lines import ScoreLine, to_csv

    study = Study.objects.filter(state=Study.State.UNBLINDED).order_by("opened_at").first()
    assert study is not None
    Snapshot.objects.create(
        study=study, inputs_hash="1" * 64, statistics=json.dumps({"study": asdict(study_facts(study))}),
        tables={"scores": to_csv(ScoreLine, score_rows(study))}, chain_head="0" * 64,
    )  # fmt: skip
