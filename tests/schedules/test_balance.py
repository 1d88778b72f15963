"""The balance report stays that of the drawn orders, whoever comes and goes."""

from __future__ import annotations

import pytest

from readerstudy.conduct.actions import replace_reader
from readerstudy.schedules.actions import design_of
from readerstudy.schedules.queries import balance
from readerstudy.studies.models import Reader
from readerstudy.studies.queries import protocol_of
from tests.factories import make_open, make_user

pytestmark = pytest.mark.django_db


def test_a_reader_who_takes_a_reserve_is_not_counted_twice() -> None:
    world = make_open()
    protocol = protocol_of(world.study)
    before, design = balance(world.study, protocol), design_of(world.study, protocol)
    assert before.broken == ()
    first = Reader.objects.get(study=world.study, number=1)
    replace_reader(world.study, first, world.coordinator, make_user(), "Ill")
    assert world.study.readers.count() == 3
    assert design_of(world.study, protocol) == design
    assert balance(world.study, protocol) == before
