"""The coordinator's pages: who may see them, what they show, and that images are never seen unrecorded."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django.fixtures import DjangoAssertNumQueries

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases import store as pixel_store
from readerstudy.cases.models import Case, Import, ImportedFile, Look, Source
from tests.cases.factories import case

PAGES = [
    "cases:list", "cases:imports", "cases:import_new", "cases:sources", "cases:source_new", "cases:quarantine",
]  # fmt: skip


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


@pytest.fixture
def one(source: Source) -> Case:
    return case(source, "CT")


def addresses(found: Case, batch: Import) -> list[tuple[str, str]]:
    names = [("get", "detail"), ("post", "look"), ("post", "release"), ("post", "withdraw")]
    pictures = [("get", reverse(f"cases:{n}", args=[found.pk, 0])) for n in ("thumbnail", "image")]
    return [
        *(("get", reverse(name)) for name in PAGES),
        *((verb, reverse(f"cases:{name}", args=[found.pk])) for verb, name in names),
        *pictures,
        ("get", reverse("cases:import", args=[batch.pk])),
    ]


def test_everyone_else_learns_nothing(client: Client, one: Case, source: Source, stranger: User) -> None:
    batch = Import.objects.create(source=source)
    for verb, address in addresses(one, batch):
        answer = getattr(client, verb)(address)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (
            302,
            reverse("account_login"),
        )
    client.force_login(stranger)
    for verb, address in addresses(one, batch):
        assert getattr(client, verb)(address).status_code == 404, address
    one.refresh_from_db()
    assert one.state == Case.State.READY
    assert not Look.objects.exists()


def test_wrong_verbs_and_unknown_ids(desk: Client, one: Case) -> None:
    assert desk.post(reverse("cases:list")).status_code == 405
    for name in ("look", "release", "withdraw"):
        assert desk.get(reverse(f"cases:{name}", args=[one.pk])).status_code == 405
    assert desk.get(reverse("cases:image", args=[one.pk, 99])).status_code == 404
    assert desk.get("/cases/00000000-0000-4000-8000-000000000000/").status_code == 404
    assert desk.get("/cases/imports/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_the_list_filters(desk: Client, source: Source) -> None:
    case(source, "CT"), case(source, "US", seed=1), case(source, "MR", seed=2)

    def shown(query: str) -> set[str]:
        html = desk.get(reverse("cases:list") + query).content.decode()
        return {name for name in ("CT-0001", "US-0001", "MR-0001") if name in html}

    assert shown("") == {"CT-0001", "US-0001", "MR-0001"}
    assert shown("?modality=MR") == {"MR-0001"}
    assert shown("?state=quarantined") == {"US-0001"}
    assert shown("?modality=CT&state=quarantined") == set()
    assert "No case matches this filter" in desk.get("/cases/?modality=CT&state=quarantined").content.decode()


def test_a_long_list_is_paged_and_cheap(
    desk: Client, one: Case, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fields = {f.attname: getattr(one, f.attname) for f in Case._meta.fields if f.name not in ("id",)}
    Case.objects.bulk_create(Case(**{**fields, "pseudonym": f"CT-{n:04d}", "key": f"{n}"}) for n in range(2, 122))
    with django_assert_max_num_queries(9):
        html = desk.get(reverse("cases:list") + "?modality=CT&page=2").content.decode()
    assert "Page 2 of 3" in html
    assert "CT-0051" in html and "CT-0100" in html and "CT-0101" not in html
    assert "?modality=CT&amp;state=&amp;source=&amp;page=3" in html


def test_images_are_shown_only_after_a_recorded_look(desk: Client, one: Case, coordinator: User) -> None:
    page = reverse("cases:detail", args=[one.pk])
    html = desk.get(page).content.decode()
    assert "Open the images" in html and "thumbnail.png" not in html
    assert not Look.objects.exists()
    desk.post(reverse("cases:look", args=[one.pk]))
    assert Look.objects.get().user == coordinator
    assert desk.get(page).content.decode().count("thumbnail.png") == 4


def test_an_image_fetched_directly_is_a_look_too(desk: Client, one: Case, coordinator: User) -> None:
    answer = desk.get(reverse("cases:thumbnail", args=[one.pk, 0]))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert Look.objects.get(case=one).user == coordinator
    assert Entry.objects.filter(verb="case.look").count() == 1


def test_the_image_is_the_slice_in_its_window(desk: Client, one: Case) -> None:
    answer = desk.get(reverse("cases:image", args=[one.pk, 1]))
    shown = np.asarray(Image.open(io.BytesIO(answer.content))).astype(float)
    row = one.slices.get(index=1)
    stored = pixel_store.get_slice(row.pixels, one.rows, one.columns)
    values = stored.astype(float) - 1024
    expected = np.clip((values - (-600 - 750)) / 1500, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 0.5


def test_an_image_keeps_true_proportions(desk: Client, source: Source) -> None:
    wide = case(source, "MR", pixel_spacing=(1.0, 2.0))
    picture = Image.open(io.BytesIO(desk.get(reverse("cases:image", args=[wide.pk, 0])).content))
    assert picture.size == (128, 64)


def test_missing_pixels_are_a_sentence(desk: Client, one: Case) -> None:
    one.slices.filter(index=0).update(pixels="0" * 64)
    answer = desk.get(reverse("cases:image", args=[one.pk, 0]))
    assert (answer.status_code, b"restore the pixel store" in answer.content) == (503, True)


def test_release_and_withdraw_by_page(desk: Client, source: Source) -> None:
    found = case(source, "US")

    def post(name: str, reason: str) -> str:
        return str(desk.post(reverse(f"cases:{name}", args=[found.pk]), {"reason": reason}, follow=True).content)

    assert "Look at the images of case US-0001 first" in post("release", "no text")
    desk.post(reverse("cases:look", args=[found.pk]))
    assert "is released" in post("release", "no text on any image")
    assert "is withdrawn" in post("withdraw", "consent withdrawn")
    found.refresh_from_db()
    assert (found.state, found.state_reason) == (Case.State.WITHDRAWN, "consent withdrawn")


def test_the_report_has_a_sentence_per_file(desk: Client, one: Case, source: Source) -> None:
    batch = Import.objects.create(source=source, accepted=1, refused=1)
    ImportedFile.objects.create(batch=batch, number=1, status="accepted", case=one)
    ImportedFile.objects.create(batch=batch, number=2, status="refused", reason="Not a DICOM file: leave it out.")
    address = reverse("cases:import", args=[batch.pk])
    html = desk.get(address).content.decode()
    assert "Not a DICOM file: leave it out." in html and "CT-0001" in html and "not finished" in html
    assert "CT-0001" not in desk.get(address + "?status=refused").content.decode()
    assert str(batch.pk) in desk.get(reverse("cases:imports")).content.decode()


def test_pages_obey_the_strict_policy(desk: Client, one: Case, settings: Any) -> None:
    settings.DEMO = True
    desk.post(reverse("cases:look", args=[one.pk]))
    waiting = case(one.source, "US", seed=5)
    own = [reverse(f"cases:{name}", args=[one.pk]) for name in ("detail", "edit")]
    own += [reverse("cases:review", args=[waiting.pk]), reverse("cases:source", args=[one.source_id])]
    for address in [*map(reverse, PAGES), *own]:
        answer = desk.get(address)
        html = answer.content.decode()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "<style" not in html and " style=" not in html and " onclick=" not in html and "hx-on" not in html
        assert html.count("<script") == html.count('<script src="/static/')
        assert "Research use only, not for diagnosis" in html
        assert "Demo: bound to this machine only" in html
