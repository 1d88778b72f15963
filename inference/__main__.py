"""Command line: ``python -m inference train | reconstruct | degrade``."""

from __future__ import annotations

import sys

from inference.command import main

if __name__ == "__main__":
    sys.exit(main())
