"""Runs management commands and lines of Python inside one installation, as its standard input asks.

Starting Python and Django anew for each command would take longer than all commands together.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

import django
from django.core.management import CommandError, call_command
from django.db import connections


def main() -> None:
    django.setup()
    for line in sys.stdin:
        asked = json.loads(line)
        out, sentence = io.StringIO(), ""
        try:
            with contextlib.redirect_stdout(out):
                if "python" in asked:
                    exec(asked["python"], {})
                else:
                    call_command(*asked["command"], stdout=out)
        except CommandError as error:
            sentence = str(error)
        except SystemExit as end:
            sentence = f"exit status {end.code}"
        # As between two processes: a database file may be another one by the next command.
        connections.close_all()
        print(json.dumps({"out": out.getvalue(), "error": sentence}), flush=True)


if __name__ == "__main__":
    main()
