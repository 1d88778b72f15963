"""While the image is built: every wheel that the lock pins is one of the files that it names by hash.

pip checks hashes only where every package has one, and torch's build depends on the device. So the wheels are collected
by version (``--pins LOCK`` prints the pins alone) and checked afterwards (``LOCK WHEELS``).
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path


def read(lock: str) -> dict[tuple[str, str], set[str]]:
    """Hashes by name (normalised) and version."""
    found: dict[tuple[str, str], set[str]] = {}
    pin = ("", "")
    for line in lock.splitlines():
        if match := re.match(r"([\w.-]+)==(\S+)", line):
            pin = (normalised(match[1]), match[2])
            found[pin] = set()
        found.get(pin, set()).update(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    if arguments[0] == "--pins":
        for name, version in read(Path(arguments[1]).read_text()):
            print(f"{name}=={version}")
        return 0
    pinned = read(Path(arguments[0]).read_text())
    wheels, wrong, unpinned = sorted(Path(arguments[1]).glob("*.whl")), [], []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        known = pinned.get((normalised(name), version))
        if known is None:
            unpinned.append(wheel.name)
        elif hashlib.sha256(wheel.read_bytes()).hexdigest() not in known:
            wrong.append(wheel.name)
    print(f"{len(wheels)} wheels; not in the lock: {', '.join(unpinned) or 'none'}")
    if wrong:
        print(f"Not the files that the lock names: {', '.join(wrong)}. Build from another index, or run make lock.")
    return 1 if wrong or not wheels else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
