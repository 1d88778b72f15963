"""The room by keyboard and at its sizes: all is reached, focus is seen, targets are large, nothing overlaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browser.conftest import REPORT, watched_page
from tests.browser.test_accessibility import STATES
from tests.browser.viewer.conftest import enter, painted
from tests.browser.viewer.fake_room import NOISE, OVERALL, FakeRoom, serving

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]
# A small window, a screen of 3840 x 2160 at 200 %, and one at 100 % with twice the pixels.
SIZES = [(1024, 768, 1), (1920, 1080, 2), (3840, 2160, 2)]

TOOLS = """() => {
  const controls = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest("dialog:not([open])");
  const name = (one) => one.id || one.getAttribute("aria-label") || one.textContent.trim() || one.className;
  const look = (one) => [one, ...one.querySelectorAll("path")].map((part) => {
    const { outline, boxShadow, borderColor, backgroundColor, stroke, clipPath } = getComputedStyle(part);
    return [outline, boxShadow, borderColor, backgroundColor, stroke, clipPath].join();
  }).join(" ");
  const all = () => [...document.querySelectorAll(controls)].filter((one) => shown(one) && !one.disabled);
  const boxesOf = (one) => {
    const boxes = one.matches(controls) ? [one.getBoundingClientRect()] : [];
    const range = document.createRange();
    for (const node of one.childNodes) {
      if (node.nodeType !== Node.TEXT_NODE || !node.data.trim()) continue;
      range.selectNodeContents(node);
      boxes.push(...range.getClientRects());
    }
    const panel = one.closest("#panel")?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
    return boxes.filter(({ width }) => width > 1).map(({ left, top, right, bottom }) =>
      ({ one, left, top: Math.max(top, panel.top), right, bottom: Math.min(bottom, panel.bottom) }));
  };
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2 && !a.one.contains(b.one) && !b.one.contains(a.one);
  const visited = new Map();
  window.reach = {
    controls: () => all().map(name),
    /** Notes the focus, and says whether it is a new one. */
    note() {
      const one = document.activeElement, news = one !== document.body && !visited.has(one);
      if (news) visited.set(one, look(one));
      return news;
    },
    missed: () => all().filter((one) => !visited.has(one)).map(name),
    unseen: () => [...visited].filter(([one, focused]) => one !== document.activeElement && look(one) === focused)
      .map(([one]) => name(one)),
    small: () => all().filter((one) => one.matches("button, summary, select, a.button")).flatMap((one) => {
      const { width, height } = one.getBoundingClientRect();
      return width < 24 || height < 24 ? [`${name(one)} ${width.toFixed(1)} x ${height.toFixed(1)}`] : [];
    }),
    /** Controls and pieces of text that lie over one another or out of the window. */
    clashes() {
      const parts = [...document.querySelectorAll("header *, aside *, footer *, #finish *")];
      const boxes = parts.filter((one) => shown(one) && !one.closest(".visually-hidden, svg")).flatMap(boxesOf);
      const out = boxes.filter((box) => box.left < 0 || box.right > innerWidth);
      const pairs = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => over(a, b)).map((b) => [a, b]));
      const names = pairs.map((pair) => pair.map(({ one }) => name(one)).join(" over "));
      return [...out.map(({ one }) => `${name(one)} outside`), ...names];
    },
  };
}"""
WIDER = "() => { const box = document.querySelector('#panel'); return box.scrollWidth - box.clientWidth; }"


@pytest.fixture
def room() -> Iterator[Rooms]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(FakeRoom(**settings)))


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]} at {size[2]}")
def sized(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page in windows of every size."""
    width, height, density = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=density)
    context.add_init_script(REPORT)
    yield from watched_page(context)
    context.close()


def opened(page: Any, room: FakeRoom, act: Callable[[Any], None] | None = None) -> Any:
    enter(page, room)
    painted(page, 0)
    if act:
        act(page)
    page.evaluate(TOOLS)
    return page


def none(page: Any, what: str) -> None:
    found = page.evaluate("(what) => reach[what]()", what)
    assert not found, f"{what}: " + "; ".join(found)


def tab_round(page: Any) -> None:
    """Tab until nothing new comes, and once backwards."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if not page.evaluate("() => reach.note()") and page.evaluate("() => document.activeElement !== document.body"):
            break
    none(page, "missed")


def open_all(page: Any) -> None:
    """A mark on the image, and everything that can be opened."""
    for key in ("p", "Enter", "n", "Escape", "c", "Escape"):
        page.keyboard.press(key)
    page.locator("#comment").wait_for()


@pytest.mark.parametrize("criteria", [[OVERALL], [OVERALL, NOISE]], ids=["one", "two"])
def test_tab_reaches_everything_and_is_seen(sized: Any, room: Rooms, criteria: list[Any]) -> None:
    page = opened(sized, room(count=2, criteria=criteria), open_all)
    assert len(page.evaluate("() => reach.controls()")) > 25
    tab_round(page)
    none(page, "unseen")


def test_tab_reaches_everything_at_the_end(sized: Any, room: Rooms) -> None:
    page = opened(sized, room(count=1, fidelity=1), STATES["the end before a comparison"][1])
    page.locator("#finish-title").wait_for()
    tab_round(page)
    none(page, "unseen")


@pytest.mark.parametrize("state", STATES)
def test_targets_are_large_and_nothing_clashes(page: Any, room: Rooms, state: str) -> None:
    settings, act = STATES[state]
    opened(page, room(**settings), act)
    none(page, "small")
    none(page, "clashes")
    assert page.evaluate(WIDER) <= 0


@pytest.mark.parametrize("mode", ["scores", "fidelity"])
@pytest.mark.parametrize("words", ["saved_server_only", "not_saved_login", "waiting_for_server"])
def test_the_longest_words_of_the_bar_have_room(page: Any, room: Rooms, words: str, mode: str) -> None:
    opened(page, room(count=999, mode=mode))
    said = page.locator(f"[data-text={words}]").text_content()
    page.locator("#status").evaluate("(status, said) => { status.textContent = said; }", said)
    none(page, "clashes")
