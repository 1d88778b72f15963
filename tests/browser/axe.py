"""axe-core on a page: the rules of WCAG 2.2 AA, and what it finds in words; and that nothing there moves."""

from __future__ import annotations

from typing import Any

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")
MOVING = """() => [...document.querySelectorAll("*")].flatMap((element) =>
  ["", "::before", "::after"].filter((part) => {
    const { animationName, transitionDuration } = getComputedStyle(element, part);
    return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time));
  }).map((part) => element.tagName + part))"""


def violations(page: Any) -> list[dict[str, Any]]:
    """What axe finds. Its script runs through the debugger, so that the page's own policy stays as it is."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    return list(Axe().run(page, options=options).response["violations"])


def in_words(found: list[dict[str, Any]]) -> str:
    lines = []
    for violation in found:
        lines.append(f"{violation['impact']}: {violation['id']}: {violation['help']} ({violation['helpUrl']})")
        for node in violation["nodes"]:
            messages = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
            lines += [f"  {' '.join(map(str, node['target']))}", f"    {node['html'][:200]}"]
            lines += [f"    {message}" for message in messages]
    return "\n".join(lines)


def reflows(page: Any) -> None:
    """Fails where the page scrolls to the side, also at 320 pixels; the room alone needs a larger window."""
    size = page.viewport_size
    for width in [size["width"]] + [320] * (page.locator("body.room").count() == 0):
        page.set_viewport_size({"width": width, "height": size["height"]})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, f"{page.url} at {width}"
    page.set_viewport_size(size)


def check(page: Any) -> None:
    """Fails on movement, on scrolling to the side and on serious and critical violations; lesser ones are printed."""
    assert page.evaluate(MOVING) == []
    reflows(page)
    found = violations(page)
    grave = [violation for violation in found if violation["impact"] in GRAVE]
    lesser = [violation for violation in found if violation not in grave]
    if lesser:
        print(f"\n{page.url}\n{in_words(lesser)}")
    assert not grave, f"{page.url}\n{in_words(grave)}"
