"""Fail where a suite that has to run here was skipped: browser tests, PostgreSQL, Redis."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

BROWSERS = ("chromium", "firefox")
FATAL = ("chromium", "postgresql", "postgres", "redis", "database_url", "broker_url")


def main() -> None:
    first, second = (ElementTree.parse(path).getroot() for path in sys.argv[1:3])
    faults = [s for s in skips(first) if any(word in s.lower() for word in BROWSERS)]
    faults += [s for s in skips(second) if any(word in s.lower() for word in FATAL)]
    browser = [c for c in first.iter("testcase") if ".browser." in c.get("classname", "")]
    if not browser:
        faults.append("No browser test ran.")
    for fault in faults:
        print(f"skipped where it must run: {fault}")
    sys.exit(1 if faults else 0)


def skips(root: ElementTree.Element) -> list[str]:
    return [f"{s.get('message', '')}" for s in root.iter("skipped")]


if __name__ == "__main__":
    main()
