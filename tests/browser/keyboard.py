"""Using a page without a mouse."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import TimeoutError as PlaywrightTimeout


def tab_to(page: Any, selector: str) -> None:
    """Move the focus to the element without a mouse."""
    for _ in range(60):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {selector}.")


def enter(page: Any, shown: str) -> None:
    """Press Enter until the element is shown: Chromium sometimes loses a press on a page that is busy."""
    for patience in (8_000, 8_000, 30_000):
        page.keyboard.press("Enter")
        try:
            page.locator(shown).wait_for(timeout=patience)
            return
        except PlaywrightTimeout:
            continue
    raise AssertionError(f"Enter doesn't lead to {shown}.")


def chooser_by_key(page: Any) -> Any:
    """The dialog for files that Enter opens; the first press after a page has loaded is sometimes lost by Chromium."""
    for patience in (4_000, 4_000, 30_000):
        try:
            with page.expect_file_chooser(timeout=patience) as chooser:
                page.wait_for_timeout(300)
                page.keyboard.press("Enter")
            return chooser.value
        except PlaywrightTimeout:
            continue
    raise AssertionError("Enter opens no dialog for files.")
