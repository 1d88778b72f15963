"""What may change after opening, by number and with a reason; and that nothing else can."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.audit.canonical import sha256_of
from readerstudy.audit.models import Entry
from readerstudy.conduct.actions import amend_study, close_study, lock_study
from readerstudy.conduct.verify import verify_study
from readerstudy.studies.actions import StudyError
from readerstudy.studies.models import Amendment, Reader, Study
from tests.factories import World, make_draft, make_open, make_protocol, read_all

pytestmark = pytest.mark.django_db
ALLOWED: list[dict[str, Any]] = [
    {"study": {"approval_body": "Ethics board"}}, {"study": {"approval_number": "17"}},
    {"study": {"registration": "DRKS 1"}}, {"study": {"consent": "You agree.\nTo this."}},
    {"sessions": {"minimum_days_apart": 3}}, {"sessions": {"break_after_minutes": 10}},
    {"sessions": {"too_fast_ms": 500}}, {"display": {"check": "required"}},
    {"plan": {"hypothesis": "equivalence", "margin": 0.25}},
]  # fmt: skip
FROZEN: list[dict[str, Any]] = [
    {"study": {"title": "Another"}}, {"study": {"seed": 8}}, {"slices": {"number": 7}}, {"display": {"back": 3}},
    {"display": {"context_slices": 1}}, {"sessions": {"number": 3}}, {"design": {"reserves": 2}},
    {"design": {"kind": "random"}},
]  # fmt: skip


@pytest.fixture
def world() -> World:
    return make_open()


@pytest.mark.parametrize("change", ALLOWED, ids=str)
def test_what_may_change(change: dict[str, Any], world: World) -> None:
    made = amend_study(world.study, world.coordinator, make_protocol(**change), "The board asked for it.")
    study = Study.objects.get(pk=world.study.pk)
    assert study.protocol_hash == sha256_of(study.protocol) and study.plan_hash == sha256_of(study.plan)
    assert (made.number, len(made.changes)) == (1, len(next(iter(change.values()))))
    assert list(verify_study(study)) == []


@pytest.mark.parametrize("change", FROZEN, ids=str)
def test_what_is_frozen(change: dict[str, Any], world: World) -> None:
    with pytest.raises(StudyError, match="is frozen since the opening"):
        amend_study(world.study, world.coordinator, make_protocol(**change), "Please")
    arms = [{"key": m, "title": "x", "method": m} for m in ("tv_recon", "pix2pix")]
    with pytest.raises(StudyError, match="arms is frozen"):
        amend_study(world.study, world.coordinator, make_protocol(arms=arms), "Please")


def test_amendments_are_numbered_and_chained_from_the_opening(world: World) -> None:
    opening = Entry.objects.get(chain__name=world.study.chain, verb="study.open").data
    first = amend_study(world.study, world.coordinator, make_protocol(study={"registration": "1"}), "One")
    second = amend_study(
        world.study, world.coordinator, make_protocol(study={"registration": "1"}, plan={"alpha": 0.01}), "Two"
    )
    assert (first.number, second.number, first.after_hash) == (1, 2, second.before_hash)
    assert first.before_hash == sha256_of({"protocol": opening["protocol"], "plan": opening["plan"]})
    assert list(verify_study(Study.objects.get(pk=world.study.pk))) == []


def test_a_change_without_an_amendment_is_found(world: World) -> None:
    """Even with its hash made to fit, and beside an honest amendment."""
    amend_study(world.study, world.coordinator, make_protocol(study={"registration": "1"}), "One")
    study = Study.objects.get(pk=world.study.pk)
    study.protocol["display"]["back"] = 5
    study.protocol_hash = sha256_of(study.protocol)
    study.save()
    faults = list(verify_study(study))
    assert any("differ from those recorded at opening and in the amendments" in f for f in faults)
    assert "Without its amendments the protocol is not the one that was opened." in faults


def test_a_changed_or_invented_amendment_is_found(world: World) -> None:
    made = amend_study(world.study, world.coordinator, make_protocol(study={"registration": "1"}), "One")
    Amendment.objects.filter(pk=made.pk).update(reason="Another")
    Amendment.objects.create(study=world.study, number=2, reason="", changes=[], before_hash="", after_hash="")
    faults = list(verify_study(Study.objects.get(pk=world.study.pk)))
    assert [f"Amendment {n} is not what the audit chain says." for n in (1, 2)] == faults


def test_when_and_by_whom(world: World) -> None:
    changed, plan = make_protocol(study={"registration": "1"}), make_protocol(plan={"alpha": 0.01})
    with pytest.raises(StudyError, match="a draft's protocol is simply replaced"):
        draft = make_draft()
        amend_study(draft.study, draft.coordinator, changed, "x")
    with pytest.raises(StudyError, match="coordinator of this study"):
        amend_study(world.study, world.analyst, changed, "x")
    with pytest.raises(StudyError, match="Write the reason"):
        amend_study(world.study, world.coordinator, changed, "  ")
    with pytest.raises(StudyError, match="Nothing differs"):
        amend_study(world.study, world.coordinator, make_protocol(), "x")
    read_all(world)
    close_study(world.study, world.coordinator)
    with pytest.raises(StudyError, match="only the plan"):
        amend_study(world.study, world.coordinator, changed, "x")
    amend_study(world.study, world.coordinator, plan, "A stricter level")
    lock_study(world.study, world.coordinator)
    with pytest.raises(StudyError, match="between opening and lock"):
        amend_study(world.study, world.coordinator, make_protocol(), "x")


def test_a_new_consent_text_is_agreed_to_anew(world: World) -> None:
    Reader.objects.filter(study=world.study).update(consented_at=timezone.now())
    amend_study(world.study, world.coordinator, make_protocol(sessions={"too_fast_ms": 900}), "x")
    assert Reader.objects.filter(study=world.study, consented_at=None).count() == 0
    changed = make_protocol(sessions={"too_fast_ms": 900}, study={"consent": "New"})
    amend_study(world.study, world.coordinator, changed, "x")
    assert Reader.objects.filter(study=world.study, consented_at=None).count() == 2


def test_the_page_shows_the_difference_then_makes_it(world: World) -> None:
    client, page = Client(), reverse("conduct:amendments", args=[world.study.pk])
    client.force_login(world.coordinator)
    text = client.get(page).context["form"].initial["text"]
    assert "minimum_days_apart = 0" in text and "seed =" not in text and "back =" not in text
    assert b"Nothing differs" in client.post(page, {"text": text, "act": "show"}).content
    text = text.replace("minimum_days_apart = 0", "minimum_days_apart = 2")
    shown = client.post(page, {"text": text, "act": "show"}).content
    assert b"sessions.minimum_days_apart" in shown and b"Make amendment 1" in shown
    assert not Amendment.objects.exists()
    assert b"Write the reason" in client.post(page, {"text": text, "act": "amend"}).content
    made = client.post(page, {"text": text, "act": "amend", "reason": "Readers tire"}, follow=True).content
    assert b"Amendment 1 holds" in made and b"Readers tire" in made
    assert b"not valid TOML" in client.post(page, {"text": "x", "act": "show"}).content
    assert (
        b"back is frozen" in client.post(page, {"text": "[display]\nback = 4\n", "act": "amend", "reason": "x"}).content
    )
