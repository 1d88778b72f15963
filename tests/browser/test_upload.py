"""A coordinator uploads a folder of scans: through a broken connection, a reloaded tab, and by keyboard alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Import, Source, Upload
from readerstudy.jobs import worker
from tests.browser import axe
from tests.browser.keyboard import chooser_by_key, enter, tab_to
from tests.browser.test_compare import sign_in
from tests.cases.factories import write_dicom
from tests.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PIECE = re.compile(r"/uploads/[^/]+/(\d+)/(\d+)/$")
PRIVATE = "Doe_Jane"


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, settings: Any) -> Path:
    cache.clear()
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return tmp_path / "data"


@pytest.fixture
def cora() -> User:
    return make_user(may_coordinate=True)


@pytest.fixture
def source() -> Source:
    return Source.objects.create(name="Hospital A")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve slices in two folders, with what an operating system adds and one file that is no scan."""
    made = tmp_path / PRIVATE
    for number in range(1, 13):
        write_dicom(
            made / f"series {number % 2}" / f"{PRIVATE}_{number:02d}.dcm", number=number, series=str(number % 2)
        )
    (made / ".DS_Store").write_bytes(b"junk")
    (made / "z.txt").write_text("hello")
    return made


class Pieces:
    """The pieces a page sends: noted, and some of them cut off."""

    def __init__(self, page: Any, cut: int = 0, hold: int = 0) -> None:
        self.sent: list[tuple[int, int]] = []
        self.bodies: list[str] = []
        self.cut, self.hold = cut, hold
        page.route(PIECE, self.handle)
        page.on("request", lambda request: self.bodies.append(f"{request.url} {request.post_data_buffer!r}"))

    def handle(self, route: Any) -> None:
        found = PIECE.search(route.request.url)
        assert found is not None
        if self.hold and len(self.sent) >= self.hold:
            return  # never answered
        if self.cut and len(self.sent) >= 4:
            self.cut -= 1
            route.abort("connectionreset")
            return
        self.sent.append((int(found[1]), int(found[2])))
        route.continue_()


def open_page(page: Any, address: str, user: User) -> None:
    sign_in(page, address, user)
    page.goto(f"{address}/cases/import/")


def title(page: Any, words: str) -> None:
    page.locator("#upload-title", has_text=words).wait_for()


def reported(page: Any) -> Import:
    """Let a worker do the import that the page waits for; then the page shows its report."""
    title(page, "Waiting for a worker")
    worker.work("cpu")
    page.wait_for_url("**/cases/imports/*/")
    return Import.objects.get()


def test_a_folder_through_a_broken_connection(
    page: Any, cora: User, source: Source, folder: Path, live_server: Any
) -> None:
    open_page(page, live_server.url, cora)
    axe.check(page)
    pieces = Pieces(page, cut=5)
    page.locator("#scans_folder_new").set_input_files(folder)
    page.locator("#upload-chosen", has_text="13 files in “Doe_Jane”").wait_for()
    assert "without 1 system file" in page.locator("#upload-chosen").text_content()
    page.locator("#id_source").select_option(str(source.pk))
    page.locator("#id_keep_patient").uncheck()
    page.get_by_role("button", name="Upload and import").click()
    waiting = page.locator("#upload-panel", has_text="Waiting for the server")
    waiting.locator("[data-part=notice]", has_text="nothing is lost").wait_for()
    axe.check(page)
    batch = reported(page)
    assert sorted(pieces.sent) == [(number, 0) for number in range(1, 14)], "nothing was sent twice"
    assert (batch.accepted, batch.refused, batch.options["keep"]) == (12, 1, ["acquisition", "device"])
    assert Case.objects.count() == 2
    assert not any(PRIVATE in body for body in pieces.bodies), "names never leave the browser"
    axe.check(page)
    row = page.locator("tr", has=page.locator('[data-file="13"]'))
    assert "z.txt" in row.text_content() and "refused" in row.text_content()
    fresh = page.context.new_page()
    fresh.goto(page.url)
    assert "13" in fresh.locator('[data-file="13"]').text_content()
    assert "z.txt" not in fresh.content(), "another tab knows numbers only"


def test_a_reloaded_tab_goes_on_with_the_same_folder(
    page: Any, cora: User, source: Source, folder: Path, live_server: Any
) -> None:
    open_page(page, live_server.url, cora)
    first = Pieces(page, hold=5)
    page.locator("#scans_folder_new").set_input_files(folder)
    page.locator("#id_source").select_option(str(source.pk))
    page.get_by_role("button", name="Upload and import").click()
    page.locator("[data-part=files]", has_text="5 / 13").wait_for()
    page.reload()
    page.unroute(PIECE)
    card = page.locator("[data-upload]")
    card.get_by_role("heading", name="Unfinished upload").wait_for()
    axe.check(page)
    (folder / "z.txt").rename(folder / "moved.txt")
    other = folder.parent / "other"
    write_dicom(other / "a.dcm", series="9")
    card.locator("input[webkitdirectory]").set_input_files(other)
    page.locator("#upload-refused", has_text="choose the same folder as it was").wait_for()
    second = Pieces(page)
    card.locator("input[webkitdirectory]").set_input_files(folder)
    batch = reported(page)
    assert (Upload.objects.count(), batch.accepted) == (1, 12)
    assert sorted(first.sent + second.sent) == [(number, 0) for number in range(1, 14)], "nothing was sent twice"
    assert "moved.txt" in page.locator('[data-file="13"]').text_content()


def test_pause_go_on_and_give_up_by_keyboard_alone(
    page: Any, cora: User, folder: Path, live_server: Any, installation: Path
) -> None:
    open_page(page, live_server.url, cora)
    tab_to(page, "#scans_folder_new")
    chooser_by_key(page).set_files(folder)
    tab_to(page, "#id_name")
    page.keyboard.type("Hospital B")
    tab_to(page, "#id_keep_device")
    page.keyboard.press("Space")
    pieces = Pieces(page, hold=4)
    tab_to(page, "button[type=submit]")
    page.keyboard.press("Enter")
    page.locator("[data-part=files]", has_text="4 / 13").wait_for()
    tab_to(page, "[data-part=pause]")
    page.keyboard.press("Enter")
    title(page, "Paused")
    page.keyboard.press("Enter")
    title(page, "Uploading")
    assert Upload.objects.get().keep == ["acquisition", "patient"] and len(pieces.sent) == 4
    tab_to(page, "#upload-panel [data-part=give-up]")
    enter(page, "dialog[open]")
    axe.check(page)
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="hidden")
    assert Upload.objects.get().state == "receiving", "Escape keeps it"
    tab_to(page, "#upload-panel [data-part=give-up]")
    enter(page, "dialog[open]")
    tab_to(page, "dialog button[value=yes]")
    enter(page, "#upload-form")
    assert (Upload.objects.get().state, Upload.objects.get().source.name) == ("given_up", "Hospital B")
    assert not list((installation / "uploads").iterdir())


def test_a_folder_is_dropped(page: Any, cora: User, folder: Path, live_server: Any) -> None:
    """Through the browser's own drag of files, with all that is below the folder."""
    open_page(page, live_server.url, cora)
    for number in range(150):
        (folder / f"more {number}").write_text("hello")
    box = page.locator("#upload-form .drop").bounding_box()
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + 20, "y": box["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
        assert (page.locator(".drop--over").count() == 1) == (kind == "dragOver") or kind == "dragEnter"
    page.locator("#upload-chosen", has_text="163 files in “Doe_Jane”").wait_for()


def test_what_is_chosen_before_the_script_runs_counts(page: Any, cora: User, folder: Path, live_server: Any) -> None:
    """A slow network: the form is there, and used, before its script is."""
    held: list[Any] = []
    page.route("**/desk/upload.js", lambda route: held.append(route))
    sign_in(page, live_server.url, cora)
    page.goto(f"{live_server.url}/cases/import/", wait_until="commit")
    page.locator("#scans_folder_new").set_input_files(folder)
    assert page.locator("#upload-chosen").text_content() == ""
    held[0].continue_()
    page.locator("#upload-chosen", has_text="13 files in “Doe_Jane”").wait_for()


def test_what_the_form_lacks_is_told_beside_it(page: Any, cora: User, folder: Path, live_server: Any) -> None:
    open_page(page, live_server.url, cora)
    page.get_by_role("button", name="Upload and import").click()
    page.locator("#upload-refused", has_text="Choose a folder, files or one zip first.").wait_for()
    page.locator("#scans_files_new").set_input_files([folder / "z.txt", zipped(folder)])
    page.get_by_role("button", name="Upload and import").click()
    page.locator("#upload-refused", has_text="Send a zip by itself").wait_for()
    page.locator("#scans_files_new").set_input_files(folder / "z.txt")
    page.get_by_role("button", name="Upload and import").click()
    page.locator("#upload-refused", has_text="Choose a source, or give a new one a name.").wait_for()
    assert page.evaluate("document.activeElement.id") == "id_name"
    assert not Upload.objects.exists()


def zipped(folder: Path) -> Path:
    path = folder.parent / "scans.zip"
    path.write_bytes(b"PK\x03\x04 and the rest")
    return path


def test_without_scripts_the_form_sends_the_files(
    browser: Any, cora: User, source: Source, folder: Path, live_server: Any
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    open_page(page, live_server.url, cora)
    page.locator("#scans_files_new").set_input_files(sorted(folder.glob("*/*.dcm")))
    page.locator("#id_source").select_option(str(source.pk))
    page.get_by_role("button", name="Upload and import").click()
    page.wait_for_url("**/cases/imports/*/")
    assert Import.objects.get().accepted == 12
    context.close()
