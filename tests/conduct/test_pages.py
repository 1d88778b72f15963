"""The coordinator's pages say what they must."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.studies.models import Reader
from tests.factories import World, make_open

pytestmark = pytest.mark.django_db
PAGES = ("conduct:study", "conduct:protocol", "conduct:balance")


@pytest.fixture
def world() -> World:
    return make_open()


@pytest.fixture
def coordinator(world: World) -> Client:
    client = Client()
    client.force_login(world.coordinator)
    return client


def pages(world: World) -> list[str]:
    return [reverse("studies:list"), *(reverse(name, args=[world.study.pk]) for name in PAGES)]


def test_simulated_readers_are_marked_on_every_page(world: World, coordinator: Client) -> None:
    for url in pages(world):
        assert b"simulated readers" not in coordinator.get(url).content, url
    Reader.objects.filter(study=world.study, number=2).update(simulated=True)
    for url in pages(world):
        assert b"simulated readers" in coordinator.get(url).content, url


def test_every_page_says_research_use_only(world: World, coordinator: Client) -> None:
    for url in pages(world):
        assert b"Research use only, not for diagnosis" in coordinator.get(url).content, url


def test_a_refused_step_is_said_on_the_page(world: World, coordinator: Client) -> None:
    answer = coordinator.post(reverse("conduct:transition", args=[world.study.pk, "lock"]), follow=True)
    assert b"Only a closed study can be locked." in answer.content


def test_a_list_of_studies_takes_few_queries(
    world: World, coordinator: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(3):
        make_open()
    with django_assert_max_num_queries(15):  # type: ignore[operator]
        coordinator.get(reverse("studies:list"))
