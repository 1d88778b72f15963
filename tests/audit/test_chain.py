"""The audit chain: append-only, in order, and a change is found."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, connections, transaction

from readerstudy.audit import actions
from readerstudy.audit.canonical import canonical_json
from readerstudy.audit.models import Chain, Entry


def append(number: int, chain: str = "test") -> Entry:
    with transaction.atomic():
        return actions.record(chain, "u-1", "test.verb", f"subject:{number}", {"number": number})


@pytest.mark.django_db
def test_entries_follow_each_other() -> None:
    first, second = append(1), append(2)
    assert (first.sequence, second.sequence) == (1, 2)
    assert second.previous == first.hash
    assert actions.head("test") == second.hash
    assert list(actions.verify("test")) == []


@pytest.mark.django_db
def test_chains_are_apart() -> None:
    append(1, "one")
    append(1, "two")
    assert Chain.objects.get(name="one").length == Chain.objects.get(name="two").length == 1


@pytest.mark.django_db
@pytest.mark.parametrize("sql", ["UPDATE audit_entry SET verb = 'x'", "DELETE FROM audit_entry"])
def test_the_database_refuses_changes(sql: str) -> None:
    append(1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db
def test_a_rolled_back_change_leaves_no_entry() -> None:
    append(1)
    with pytest.raises(RuntimeError), transaction.atomic():
        actions.record("test", "u-1", "lost", "subject:2", {})
        raise RuntimeError
    append(2)
    assert list(actions.verify("test")) == []
    assert Entry.objects.filter(verb="lost").count() == 0


@pytest.mark.django_db(transaction=True)
def test_twenty_writers_make_one_chain() -> None:
    append(0)

    def write(number: int) -> None:
        append(number)
        connections.close_all()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Chain.objects.get(name="test").length == 21
    assert list(actions.verify("test")) == []


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": 1, "a": ["é", None, True]}) == '{"a":["é",null,true],"b":1}'.encode()
    with pytest.raises(ValueError, match="only finite numbers"):
        canonical_json(float("nan"))
