"""The display check: hidden squares, bounded reports, passed, failed, flagged or refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from readerstudy.audit.models import Entry
from readerstudy.reading import display_check
from readerstudy.reading.actions import (
    Closed,
    NotPrepared,
    ReadingError,
    accept_display,
    draw_display_check,
    report_display_check,
    start_session,
)
from readerstudy.reading.display_check import STEPS, Surroundings, bounded, patch
from readerstudy.reading.models import DisplayCheck
from tests.factories import World, make_open, read_session

pytestmark = pytest.mark.django_db
HERE = Surroundings("no", "dimmed", {"width": "1920", "height": "1080", "ratio": "1.5", "agent": "A browser"})


@pytest.fixture
def world() -> World:
    return make_open(display={"check": "asked"})


@pytest.fixture
def reader(world: World) -> Client:
    client = Client()
    client.force_login(world.readers[0])
    return client


def page(world: World, number: int = 0) -> str:
    return reverse("reading:check", args=[world.sessions()[number].token])


def report(world: World, wrong: int, **changes: Any) -> DisplayCheck:
    """One try at the check of the first session with so many patches wrong."""
    user, session = world.readers[0], world.sessions()[0]
    check = draw_display_check(user, session)
    seen = [-1 if step < wrong else target for step, target in enumerate(check.targets)]
    return report_display_check(user, session, check.pk, changes.get("seen", seen), changes.get("here", HERE))


@pytest.mark.parametrize("step", range(len(STEPS)))
@pytest.mark.parametrize("quadrant", range(4))
def test_a_patch_is_eight_bit_grey_with_one_faint_square_in_its_quadrant(step: int, quadrant: int) -> None:
    written = patch(step, quadrant)
    picture = Image.open(BytesIO(written))
    pixels = np.asarray(picture)
    assert (picture.mode, picture.format, picture.info) == ("L", "PNG", {})
    ground, square = STEPS[step]
    assert set(np.unique(pixels)) == {ground, square} and 2 <= square - ground <= 3
    half = display_check.SIDE // 2
    top, left = quadrant // 2 * half, quadrant % 2 * half
    assert (pixels == square).sum() == display_check.SQUARE**2
    assert (pixels[top : top + half, left : left + half] == square).sum() == display_check.SQUARE**2


def test_chance_passes_once_in_2600_checks() -> None:
    right, wrong = 1 / display_check.QUADRANTS, 1 - 1 / display_check.QUADRANTS
    assert right**8 + 8 * right**7 * wrong == 25 / 65536


@pytest.mark.parametrize("wrong", [0, 1])
def test_one_wrong_patch_passes_and_the_session_begins_with_it_on_record(wrong: int, world: World) -> None:
    assert report(world, wrong).passed
    session = start_session(world.readers[0], world.sessions()[0])
    assert session.environment == {
        "check": "passed", "tries": 1, "wrong": wrong, "remote_desktop": "no", "ambient_light": "dimmed",
        "screen": {"width": 1920, "height": 1080, "ratio": 1.5, "agent": "A browser"},
    }  # fmt: skip
    assert Entry.objects.get(verb="session.start").data == {"environment": session.environment}


def test_a_failed_check_opens_nothing_and_draws_new_targets(world: World) -> None:
    failed = report(world, 2)
    assert failed.passed is False
    with pytest.raises(NotPrepared):
        start_session(world.readers[0], world.sessions()[0])
    again = draw_display_check(world.readers[0], world.sessions()[0])
    assert again.pk != failed.pk
    assert draw_display_check(world.readers[0], world.sessions()[0]).pk == again.pk, "a reload is the same check"
    assert report(world, 0).passed
    assert world.sessions()[0].environment["tries"] == 2


def test_going_on_is_offered_after_the_second_failure_only(world: World, reader: Client) -> None:
    user, session = world.readers[0], world.sessions()[0]
    report(world, 8)
    with pytest.raises(Closed, match="twice"):
        accept_display(user, session)
    content = reader.get(page(world)).content.decode()
    assert "Patches missed the last time: 1, 2, 3, 4, 5, 6, 7, 8" in content and "Darken the room" in content
    assert "go_on" not in content
    report(world, 3)
    assert "go_on" in reader.get(page(world)).content.decode()
    assert reader.post(page(world), {"go_on": "1"})["Location"] == reverse("reading:room", args=[session.token])
    started = start_session(user, world.sessions()[0])
    assert (started.environment["check"], started.environment["wrong"]) == ("flagged", 3)


def test_a_required_check_has_no_way_around() -> None:
    world = make_open(display={"check": "required"})
    report(world, 8)
    report(world, 8)
    with pytest.raises(Closed, match="another display"):
        accept_display(world.readers[0], world.sessions()[0])
    client = Client()
    client.force_login(world.readers[0])
    content = client.get(page(world)).content.decode()
    assert "go_on" not in content and "ask the coordinator" in content
    assert client.post(page(world), {"go_on": "1"}).status_code == 423


@pytest.mark.parametrize("seen", [[], [0] * 7, [4] * 8, [-2] * 8, [True] * 8, ["0"] * 8])
def test_a_report_says_something_about_every_patch(seen: list[Any], world: World) -> None:
    with pytest.raises(ReadingError, match="every patch"):
        report(world, 0, seen=seen)


def test_surroundings_are_choices(world: World) -> None:
    with pytest.raises(ReadingError, match="remote desktop"):
        report(world, 0, here=Surroundings("perhaps", "dark", {}))


def test_a_report_counts_once(world: World) -> None:
    failed = report(world, 8)
    with pytest.raises(ReadingError, match="already"):
        report_display_check(world.readers[0], world.sessions()[0], failed.pk, failed.targets, HERE)


def test_nothing_changes_once_the_session_has_begun(world: World, reader: Client) -> None:
    passed = report(world, 0)
    start_session(world.readers[0], world.sessions()[0])
    with pytest.raises(Closed, match="has begun"):
        report_display_check(world.readers[0], world.sessions()[0], passed.pk, passed.targets, HERE)
    assert reader.get(page(world))["Location"] == reverse("reading:room", args=[world.sessions()[0].token])


def test_every_session_has_its_own_check_at_its_own_time(world: World, reader: Client) -> None:
    assert reader.get(page(world, 1)).status_code == 423
    report(world, 0)
    read_session(world.readers[0], world.sessions()[0])
    assert reader.get(page(world, 1)).status_code == 200


def test_without_a_check_the_page_leads_to_the_room(reader: Client) -> None:
    other = make_open()
    reader.force_login(other.readers[0])
    assert reader.get(page(other))["Location"] == reverse("reading:room", args=[other.sessions()[0].token])


def test_the_page_works_without_its_script(world: World, reader: Client) -> None:
    assert reader.get(page(world)).status_code == 200
    check = DisplayCheck.objects.get()
    sent = {f"step_{n}": str(target) for n, target in enumerate(check.targets)}
    sent |= {"check": str(check.pk), "remote_desktop": "unknown", "ambient_light": "office"}
    unanswered = reader.post(page(world), {**sent, "step_3": ""})
    assert "Choose a corner, or none." in unanswered.content.decode()
    response = reader.post(page(world), sent)
    assert response["Location"] == reverse("reading:room", args=[world.sessions()[0].token])
    assert world.sessions()[0].environment["screen"] == {}


def test_an_old_tab_is_told_and_shown_the_new_check(world: World, reader: Client) -> None:
    failed = report(world, 8)
    sent = {f"step_{n}": "0" for n in range(8)} | {"remote_desktop": "no", "ambient_light": "dark"}
    content = reader.post(page(world), {**sent, "check": str(failed.pk)}).content.decode()
    assert "answered already" in content
    assert f'name="check" value="{DisplayCheck.objects.latest("pk").pk}"' in content


def test_a_picture_is_kept_nowhere_and_shown_to_nobody_else(world: World, reader: Client) -> None:
    url = reverse("reading:check_step", args=[world.sessions()[0].token, 0])
    assert reader.get(url).status_code == 404, "nothing is drawn yet"
    reader.get(page(world))
    response = reader.get(url)
    assert response["Cache-Control"] == "private, no-store" and response["Content-Type"] == "image/png"
    assert reader.get(reverse("reading:check_step", args=[world.sessions()[0].token, 8])).status_code == 404
    reader.force_login(world.readers[1])
    assert reader.get(url).status_code == 404


@pytest.mark.parametrize(
    ("name", "text"),
    [("width", "-1"), ("width", "1e9"), ("width", "9999999"), ("ratio", "nan"), ("ratio", "inf"), ("ratio", "99"),
     ("depth", "٣"), ("agent", "\0\n"), ("colour", "7")],
)  # fmt: skip
def test_what_can_not_be_true_of_a_screen_is_left_out(name: str, text: str) -> None:
    assert bounded({name: text}) == {}


def test_a_long_agent_is_cut() -> None:
    assert len(bounded({"agent": "x" * 5000})["agent"]) == display_check.LONGEST_AGENT
