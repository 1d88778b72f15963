"""Canaries: names and secrets planted as unique strings must not reach a reader, in any state, by any URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.cases import store
from readerstudy.cases.models import Case, Patient
from readerstudy.conduct.actions import close_study, lock_study, open_study, unblind_study
from readerstudy.reading.actions import give_consent, sign_session, start_session
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.schedules.models import OrderSecret
from readerstudy.studies.models import Arm, Study
from tests.factories import World, add_map, answer, make_draft, read_all, read_session
from tests.security.matrix import ROWS
from tests.security.test_role_matrix import arguments

pytestmark = pytest.mark.django_db
STATES = ("open", "closed", "locked", "unblinded")


@pytest.fixture
def world() -> World:
    return make_canaries()


def make_canaries(**changes: Any) -> World:
    """A study whose arms and cases bear names that occur nowhere else."""
    made = make_draft(**changes)
    for number, arm in enumerate(Arm.objects.filter(study=made.study)):
        arm.key, arm.title = f"canaryarmkey{number}", f"Canary arm title {number}"
        arm.save()
    for number, case in enumerate(Case.objects.all()):
        case.pseudonym, case.notes = f"CANARYCASE{number}", ["canary note"]
        case.acquisition = {"manufacturer": "canarymaker"}
        case.save()
    for number, patient in enumerate(Patient.objects.all()):
        patient.pseudonym = f"CANARYPATIENT{number}"
        patient.save()
    for number, row in enumerate(Reconstruction.objects.filter(run__method="diffusion_unet")):
        add_map(row, np.random.default_rng(number))
    study = open_study(made.study, made.coordinator)
    return World(study, made.coordinator, made.second, made.analyst, made.readers)


def canaries(world: World) -> set[str]:
    """Everything that tells an arm, a case, a patient, a run or the order's secret."""
    found = {"canary", OrderSecret.objects.get(study=world.study).secret}
    found |= {run.method for run in Run.objects.all()} - {"reference", "degraded"}
    found |= {str(pk) for pk in Run.objects.values_list("pk", flat=True)}
    found |= {str(pk) for pk in Case.objects.values_list("pk", flat=True)}
    found |= set(Run.objects.exclude(weights_hash="").values_list("weights_hash", flat=True))
    found |= set(Reconstruction.objects.values_list("pixels", flat=True))
    found |= set(Reconstruction.objects.exclude(uncertainty="").values_list("uncertainty", flat=True))
    found |= {"TV-Recon", "Pix2Pix", "Restormer", "Diffusion-UNet"}
    return {text.lower() for text in found}


def sd_maps() -> list[bytes]:
    """The bytes of every SD map there is."""
    found = [store.get(row.uncertainty) for row in Reconstruction.objects.exclude(uncertainty="")]
    assert len(found) > 5
    return found


def advance(world: World, state: str) -> None:
    steps: list[Callable[[], object]] = [
        lambda: close_study(world.study, world.coordinator),
        lambda: lock_study(world.study, world.coordinator),
        lambda: unblind_study(world.study, world.second),
    ]
    for step in steps[: STATES.index(state)]:
        step()


def crawl(client: Client, world: World) -> Iterator[tuple[str, bytes]]:
    """Every URL with the arguments of this study and with wrong ones: status line, headers and body."""
    known = arguments(world)
    wrong = {**known, "presentation": "nothing", "session": "nothing", "zero": 7}
    for row in ROWS:
        for values in (known, wrong):
            url = reverse(row.name, args=[values[name] for name in row.arguments])
            response = client.post(url, row.data or {}) if row.post else client.get(url)
            headers = "\n".join(f"{k}: {v}" for k, v in response.headers.items()).encode()
            body = b"".join(response.streaming_content) if response.streaming else response.content
            yield f"{url} {response.status_code}", headers + b"\n" + body


@pytest.mark.parametrize("state", STATES)
def test_no_canary_reaches_a_reader(state: str, world: World) -> None:
    if state == "open":
        start_session(world.readers[0], world.sessions()[0])
        answer(world.readers[0], world.presentations()[0])
    else:
        read_all(world)
    advance(world, state)
    words, maps = canaries(world), sd_maps()
    client = Client(raise_request_exception=False)
    client.force_login(world.readers[0])
    for where, content in crawl(client, world):
        text = content.lower()
        assert not any(one in content for one in maps), f"{where} carries an SD map."
        for word in words:
            assert word.encode() not in text, f"{where} tells {word!r}."


def told(client: Client, world: World, words: set[str]) -> list[str]:
    """Where any of the words stands."""
    return [where for where, content in crawl(client, world) if any(w.encode() in content.lower() for w in words)]


def test_methods_are_named_after_the_last_signature_and_on_the_guess_page_only(world: World) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(world.readers[0])
    *earlier, last = world.sessions()
    for session in earlier:
        read_session(world.readers[0], session)
    read_session(world.readers[0], last, sign=False)
    words, page = canaries(world), reverse("reading:guess", args=[world.schedule().token])
    assert told(client, world, words) == []
    sign_session(world.readers[0], last, printed_name="R", meaning="mine")
    assert set(told(client, world, words)) == {f"{page} 200"}
    content = client.get(page).content.decode().lower()
    for arm in Arm.objects.filter(study=world.study):
        content = content.replace(arm.key.lower(), "").replace(arm.title.lower(), "")
    assert not any(word in content for word in words), "nothing but the methods' names"
    given = {f"guess_{number}": "don't know" for number in range(content.count("data-image"))}
    assert client.post(page, given).status_code == 302
    assert told(client, world, words) == []


def test_nothing_is_told_before_the_first_session() -> None:
    """The pages of consent and display check, as they are shown."""
    made = make_canaries(study={"consent": "You read images."}, display={"check": "asked"})
    client = Client(raise_request_exception=False)
    client.force_login(made.readers[0])
    words = canaries(made)
    assert told(client, made, words) == []
    give_consent(made.readers[0], made.schedule())
    assert told(client, made, words) == []
    assert made.sessions()[0].display_checks.count() == 1, "the check was among the pages"


def test_the_crawl_finds_a_planted_leak(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The net has no hole: a worklist that names the arm is caught."""
    start_session(world.readers[0], world.sessions()[0])
    Study.objects.filter(pk=world.study.pk).update(title="Canary arm title 0")
    client = Client()
    client.force_login(world.readers[0])
    assert any(b"canary" in content.lower() for _, content in crawl(client, world))


def test_no_canary_before_unblinding_reaches_the_coordinator_per_presentation(world: World) -> None:
    """The coordinator never learns which image is whose: no presentation id on any page."""
    client = Client()
    client.force_login(world.coordinator)
    secret = OrderSecret.objects.get(study=world.study).secret
    ids = [row.pk for row in world.presentations()]
    for where, content in crawl(client, world):
        assert secret.encode() not in content, where
        if "/reading/" not in where:
            assert not any(pk.encode() in content for pk in ids), where
