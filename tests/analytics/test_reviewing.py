"""Links for reviewers: one look, for a time, at numbers that do not say whose they are."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.models import ReviewLink
from readerstudy.analytics.recompute import recompute
from readerstudy.analytics.reviewing import ReviewError, make_review_link, revoke_review_link
from readerstudy.audit.models import Entry
from readerstudy.cases.models import Source
from readerstudy.studies.models import Study
from tests.analytics.test_sections import finish
from tests.factories import make_open, make_user, read_all

pytestmark = pytest.mark.django_db
TITLE = "Four methods in a hospital"
SECRETS = ("Secret title", "Ethics board of Utopia", "NCT0001", "Hospital of Utopia")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.analytics.figures.FIGURES", {})
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})


@pytest.fixture
def study() -> Study:
    world = make_open(
        study={
            "title": "Secret title", "approval_body": "Ethics board of Utopia", "approval_number": "17/3",
            "registration": "NCT0001",
        },
        sessions={"number": 2}, slices={"number": 6},
    )  # fmt: skip
    Source.objects.update(name="Hospital of Utopia")
    read_all(world)
    done = finish(world)
    make_snapshot(done, None)
    return done


@pytest.fixture
def analyst(study: Study) -> User:
    return study.memberships.get(role="analyst").user


def address(name: str, token: str) -> str:
    return reverse(f"review:{name}", args=[token])


def test_a_reviewer_sees_numbers_and_not_whose_they_are(study: Study, analyst: User, tmp_path: Path) -> None:
    _, token = make_review_link(study.snapshots.get(), analyst, TITLE, 30)
    page = Client().get(address("report", token))
    text = page.content.decode()
    assert page.status_code == 200 and TITLE in text and "Mean scores with 95 % intervals" in text
    assert (page["Referrer-Policy"], page["X-Robots-Tag"]) == ("no-referrer", "noindex, nofollow")
    content = Client().get(address("export", token)).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        everything = text + "".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    for secret in (*SECRETS, str(study.pk)):
        assert secret not in everything, secret
    for membership in study.memberships.select_related("user"):
        assert membership.user.username not in everything and membership.user.handle not in everything
    path = tmp_path / "review.zip"
    path.write_bytes(content)
    assert recompute(path).difference is None
    assert ReviewLink.objects.get().openings == 2


def test_only_the_hash_of_a_link_is_kept_and_the_chain_knows(study: Study, analyst: User) -> None:
    link, token = make_review_link(study.snapshots.get(), analyst, TITLE, 30)
    assert token not in str(ReviewLink.objects.values()) and len(token) >= 40
    entry = Entry.objects.get(chain__name=study.chain, verb="review.make")
    assert entry.actor == analyst.handle and token not in entry.text
    revoke_review_link(link, analyst)
    revoke_review_link(link, analyst)
    assert Entry.objects.filter(chain__name=study.chain, verb="review.revoke").count() == 1


def test_a_link_that_is_over_or_taken_back_opens_nothing(study: Study, analyst: User) -> None:
    first, one = make_review_link(study.snapshots.get(), analyst, TITLE, 30)
    second, two = make_review_link(study.snapshots.get(), analyst, TITLE, 30)
    revoke_review_link(first, analyst)
    ReviewLink.objects.filter(pk=second.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for token in (one, two, "x" * 43, "%00"):
        assert Client().get(address("report", token)).status_code == 404
        assert Client().get(address("export", token)).status_code == 404


@pytest.mark.parametrize(("title", "days", "said"), [(" ", 30, "Give the study a title"), (TITLE, 0, "from 1 to 365")])
def test_a_bad_link_is_refused_with_a_sentence(study: Study, analyst: User, title: str, days: int, said: str) -> None:
    with pytest.raises(ReviewError, match=said):
        make_review_link(study.snapshots.get(), analyst, title, days)
    with pytest.raises(Http404):
        make_review_link(study.snapshots.get(), make_user(), TITLE, 30)


def test_the_page_makes_shows_once_and_takes_back(study: Study, analyst: User) -> None:
    client = Client()
    client.force_login(analyst)
    page = reverse("analytics:review_links", args=[study.pk])
    made = client.post(page, {"title": TITLE, "days": "14"}).content.decode()
    token = made.split("/review/")[1].split("/")[0]
    assert Client().get(address("report", token)).status_code == 200
    assert token not in client.get(page).content.decode()
    link = ReviewLink.objects.get()
    assert client.post(reverse("analytics:revoke_link", args=[study.pk, link.pk])).status_code == 302
    assert Client().get(address("report", token)).status_code == 404
    assert client.post(page, {"title": "", "days": "9999"}).status_code == 400
