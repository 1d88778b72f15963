"""``make screenshots``: the pictures of the documentation, taken from the running demo in headless Chromium.

Start the demo first (``make demo``); the address and the logins are read from its data folder.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screenshots"
ADDRESS = os.environ.get("ADDRESS", "http://localhost:8000")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZE = {"width": 1440, "height": 900}


def sign_in(page: Page, name: str, passwords: dict[str, str]) -> None:
    page.goto(f"{ADDRESS}/accounts/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", passwords[name])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login/" not in url)


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    page.screenshot(path=FOLDER / f"{name}.png", full_page=whole)
    print(f"docs/screenshots/{name}.png")


def reader(page: Page, passwords: dict[str, str]) -> None:
    sign_in(page, "reader5", passwords)
    shoot(page, "worklist")
    page.locator("main a.button--primary").first.click()
    if "/consent/" in page.url:
        page.locator("input[type=checkbox]").check()
        page.locator("main form button").first.click()
        page.goto(f"{ADDRESS}/reading/")
        page.locator("main a.button--primary").first.click()
    if "/check/" in page.url:
        pass_display_check(page)
    items = json.loads(page.locator("#room-data").text_content() or "{}")["items"]
    # The last reader scores up to the first large CT image, so that the picture shows one.
    first = next(i for i, item in enumerate(items) if not item["scores"])
    wanted = next(
        (i for i, item in enumerate(items) if i >= first and item["modality"] == "CT" and item["rows"] >= 256), first
    )
    for item in items[first:wanted]:
        page.locator(f'body[data-painted="{item["id"]}"]').wait_for()
        page.wait_for_timeout(1200)
        page.keyboard.press("3")
    page.locator(f'body[data-painted="{items[wanted]["id"]}"]').wait_for()
    page.locator('#status[data-state="saved"]').wait_for()
    page.locator("#notice").evaluate("notice => { notice.hidden = true; }")
    shoot(page, "room")


def pass_display_check(page: Page) -> None:
    """Sees the hidden squares as no reader can: in the numbers of the pictures."""
    shoot(page, "display-check", whole=True)
    for patch in page.locator("[data-step]").all():
        address = ADDRESS + str(patch.locator("img").get_attribute("src"))
        grey = np.asarray(Image.open(io.BytesIO(page.context.request.get(address).body()))).astype(int)
        rows, columns = np.nonzero(grey != grey[0, 0])
        corner = 2 * int(rows.mean() > grey.shape[0] / 2) + int(columns.mean() > grey.shape[1] / 2)
        patch.locator("input").nth(corner).check()
    page.locator(".line-of-choices").nth(0).locator("input").first.check()
    page.locator(".line-of-choices").nth(1).locator("input").nth(1).check()
    page.locator("#display-check button").last.click()
    page.locator("#room-data").wait_for(state="attached")


def coordinator(page: Page, passwords: dict[str, str]) -> None:
    sign_in(page, "coordinator1", passwords)
    for name, path in (("studies", "/studies/"), ("cases", "/cases/"), ("runs", "/runs/")):
        page.goto(ADDRESS + path)
        shoot(page, name)
    page.goto(f"{ADDRESS}/studies/")
    page.locator("table a").first.click()
    shoot(page, "study", whole=True)


def analyst(page: Page, passwords: dict[str, str]) -> None:
    sign_in(page, "analyst1", passwords)
    page.get_by_role("link", name="Results").first.click()
    shoot(page, "results")
    page.locator("figure img").first.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    shoot(page, "figures")


def main() -> None:
    logins = Path(os.environ.get("READERSTUDY_DATA", ROOT / "var")) / "demo" / "logins.json"
    if not logins.exists():
        sys.exit("Start the demo first, in another window: make demo")
    passwords = json.loads(logins.read_text())
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for visit in (reader, coordinator, analyst):
            page = browser.new_context(viewport=SIZE).new_page()
            visit(page, passwords)
            page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
