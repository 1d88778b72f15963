"""Firefox ESR through its own WebDriver BiDi socket: no geckodriver, and one small client library (websockets)."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIREFOX = Path("/usr/bin/firefox-esr")
LISTENING = re.compile(r"WebDriver BiDi listening on (\S+)")
PATIENCE = 30.0
# Nothing is fetched from outside, and nothing but the page is shown.
PREFERENCES = {
    "app.normandy.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.startup.page": 0,
    "captivedetect.canonicalURL": "",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "nimbus.rollouts.enabled": False,
    "services.settings.server": "data:,#none/v1",
}
KEYS = {
    "Enter": "\ue006", "Backspace": "\ue003", "Tab": "\ue004", "Escape": "\ue00c", "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Delete": "\ue017",
} | {f"Numpad{digit}": chr(0xE01A + digit) for digit in range(10)}  # fmt: skip
THERE = """(selector) => document.readyState === "complete" && document.querySelector(selector) !== null"""


class Refused(Exception):
    """Firefox did not do what it was told, perhaps as the page went away meanwhile."""


class Firefox:
    """The running browser: sends commands, and gathers what it logs as an error; it logs breaches of the policy so."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._sent = 0
        self.complaints: list[tuple[str, str]] = []

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE))
            if message["type"] == "event":
                self._listen(message)
            elif message["id"] == self._sent:
                if message["type"] == "error":
                    raise Refused(f"{method}: {message['message']}")
                return dict(message["result"])

    def _listen(self, event: dict[str, Any]) -> None:
        entry = event["params"]
        if event["method"] == "log.entryAdded" and entry["level"] == "error":
            self.complaints.append((entry["source"]["context"], entry["text"]))

    @contextmanager
    def tab(self, width: int = 1024, height: int = 768) -> Iterator[Tab]:
        """A tab with cookies and storage of its own, which are gone afterwards."""
        person = self.command("browser.createUserContext")["userContext"]
        made = Tab(self, self.command("browsingContext.create", type="tab", userContext=person)["context"])
        made.resize(width, height)
        yield made
        self.command("browser.removeUserContext", userContext=person)


class Tab:
    """One page, and a reader's hands on it."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox = firefox
        self._context = context

    def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._firefox.command(method, context=self._context, **parameters)

    @property
    def complaints(self) -> list[str]:
        self.evaluate("() => null")
        return [text for context, text in self._firefox.complaints if context == self._context]

    def resize(self, width: int, height: int) -> None:
        self._command("browsingContext.setViewport", viewport={"width": width, "height": height})

    def open(self, url: str) -> None:
        self._command("browsingContext.navigate", url=url, wait="complete")

    def evaluate(self, function: str, *arguments: Any) -> Any:
        """What a function of the page returns; arguments and result travel as JSON."""
        wrapped = f"async (given) => JSON.stringify(await ({function})(...JSON.parse(given))) ?? 'null'"
        given = [{"type": "string", "value": json.dumps(arguments)}]
        reply = self._firefox.command(
            "script.callFunction", functionDeclaration=wrapped, arguments=given, awaitPromise=True,
            target={"context": self._context},
        )  # fmt: skip
        if reply["type"] == "exception":
            raise Refused(reply["exceptionDetails"]["text"])
        return json.loads(reply["result"]["value"])

    def wait_for(self, selector: str, seconds: float = 15) -> None:
        """Polls from outside, so that the page may change meanwhile."""
        end = time.monotonic() + seconds
        while not self._there(selector):
            if time.monotonic() > end:
                raise AssertionError(f"{selector} did not come; the page says: {self.text('body')[:500]}")
            time.sleep(0.02)

    def _there(self, selector: str) -> bool:
        try:
            return bool(self.evaluate(THERE, selector))
        except Refused:
            return False

    def text(self, selector: str) -> str:
        return str(self.evaluate("(selector) => document.querySelector(selector).innerText", selector))

    def press(self, *keys: str) -> None:
        """Keys by their name in KEYS or by their letter, one after the other."""
        values = [KEYS.get(key, key) for key in keys]
        turns = [{"type": kind, "value": value} for value in values for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": turns})

    def drag(self, *places: tuple[float, float]) -> None:
        """The left button down at the first place, along the others, and up; a single place is a click."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in places]
        turns = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": turns})

    def click(self, selector: str) -> None:
        box = self.box(selector)
        self.drag((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))

    def box(self, selector: str) -> dict[str, float]:
        return dict(self.evaluate("(s) => document.querySelector(s).getBoundingClientRect().toJSON()", selector))

    def screenshot(self, selector: str) -> bytes:
        """What is on the screen there, as PNG."""
        box = self.box(selector)
        clip = {"type": "box", **{key: box[key] for key in ("x", "y", "width", "height")}}
        return base64.b64decode(self._command("browsingContext.captureScreenshot", clip=clip)["data"])

    def _act(self, source: dict[str, Any]) -> None:
        self._command("input.performActions", actions=[source])


@contextmanager
def started(folder: Path) -> Iterator[Firefox]:
    """Firefox without a window, its profile in `folder`."""
    from websockets.sync.client import connect

    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = [str(FIREFOX), "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
    with (folder / "log.txt").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            with connect(_address(process, folder / "log.txt"), max_size=None, compression=None) as socket:
                firefox = Firefox(socket)
                firefox.command("session.new", capabilities={})
                firefox.command("session.subscribe", events=["log.entryAdded"])
                yield firefox
                firefox.command("browser.close")
            process.wait(PATIENCE)
        finally:
            process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where Firefox listens: it chooses a free port and says so."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if found := LISTENING.search(log.read_text(errors="replace")):
            return f"{found[1]}/session"
        time.sleep(0.05)
    raise RuntimeError(f"Firefox did not start: {log.read_text(errors='replace')[-2000:]}")
