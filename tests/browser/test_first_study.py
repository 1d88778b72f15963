"""A person new to the product: signs in, uploads DICOM, runs the methods and opens a study, all in the browser.

Every click, choice and typed field counts; the whole way takes at most forty.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from readerstudy.cases.models import Case
from readerstudy.jobs import worker
from readerstudy.reconstructions.models import Run
from readerstudy.schedules.models import OrderSecret, Presentation
from readerstudy.studies.models import Study
from tests.cases.factories import write_dicom
from tests.factories import PASSWORD, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST = 40
METHODS = ("tv_recon", "pix2pix", "restormer", "diffusion_unet")


class Person:
    """Somebody at the browser, whose doings are counted."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.done: list[str] = []

    def click(self, role: str, name: str, **more: Any) -> None:
        self.page.get_by_role(role, name=name, **more).first.click()
        self.done.append(f"click {name}")

    def tick(self, selector: str, on: bool = True) -> None:
        """Only what is not yet as it should be costs a click."""
        box = self.page.locator(selector)
        if box.is_checked() != on:
            box.click()
            self.done.append(f"tick {selector}")

    def type(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).first.fill(text)
        self.done.append(f"type {label}")

    def choose(self, label: str, value: str) -> None:
        self.page.get_by_label(label, exact=True).first.select_option(value)
        self.done.append(f"choose {label}")

    def folder(self, selector: str, path: Path) -> None:
        self.page.locator(selector).set_input_files(path)
        self.page.locator("#upload-chosen", has_text="files in").wait_for()
        self.done += ["click choose a folder", "choose the folder"]


@pytest.fixture
def scans(tmp_path: Path, settings: Any) -> Path:
    """Three series of four slices each."""
    cache.clear()
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    for series in "123":
        for number in range(1, 5):
            write_dicom(tmp_path / "scans" / series / f"{number}.dcm", number=number, series=series)
    return tmp_path / "scans"


def test_from_signing_in_to_an_open_study(page: Any, scans: Path, live_server: Any) -> None:
    make_user("cora", may_coordinate=True)
    for reader in ("rada", "rudi"):
        make_user(reader)
    person = Person(page)

    page.goto(live_server.url)
    page.locator("input[name=login]").fill("cora")
    page.locator("input[name=password]").fill(PASSWORD)
    person.done += ["type the name", "type the password"]
    person.click("button", "Sign in")

    person.click("link", "Cases")
    person.click("link", "Import cases")
    person.folder("#scans_folder_new", scans)
    person.type("Name of the new source", "Our hospital")
    person.click("button", "Upload and import")
    page.locator("#upload-title", has_text="Waiting for a worker").wait_for()
    worker.work("cpu")
    page.wait_for_url("**/cases/imports/*/")
    assert Case.objects.filter(state=Case.State.READY).count() == 3

    person.click("link", "Runs")
    person.click("link", "Request runs")
    for method in METHODS:
        person.tick(f"input[name=methods][value={method}]")
    person.click("button", "Start")
    page.wait_for_url("**/runs/**")
    for queue in ("cpu", "gpu"):
        worker.work(queue)
    assert set(Run.objects.values_list("method", flat=True)) >= set(METHODS)

    person.click("link", "Studies")
    person.click("link", "New study")
    person.type("Title", "Our first study")
    person.type("Slices to draw", "8")
    person.type("Readers", "2")
    person.click("button", "Save the draft")
    page.wait_for_url("**/studies/*-*/**")

    for reader in ("rada", "rudi"):
        person.type("Signs in as", reader)
        person.choose("Role", "reader")
        person.click("button", "Add", exact=True)
    person.click("button", "Open the study")
    page.get_by_text("Commitment").first.wait_for()

    study = Study.objects.get()
    assert study.state == Study.State.OPEN and OrderSecret.objects.filter(study=study).exists()
    assert Presentation.objects.filter(session__schedule__reader__number=1).count() == 8 * len(METHODS)
    assert len(person.done) <= MOST, person.done
