"""``python -m bench.filled [--divide N] [--only-measure]``: fill, measure, and write the timings as JSON to stdout."""

from __future__ import annotations

import argparse
import json
import logging
import os

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--divide", type=int, default=1, help="a database that many times smaller")
    parser.add_argument("--only-measure", action="store_true", help="the database is filled already")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "readerstudy.settings"
    django.setup()
    logging.disable(logging.WARNING)
    from bench.filled.fill import Size, fill
    from bench.filled.load import say
    from bench.filled.pages import measure, pages
    from readerstudy.jobs.startup import prepare

    prepare(say)
    if not options.only_measure:
        fill(Size().divided(options.divide))
    print(json.dumps(measure([page for page in pages() if options.only in page.name])))


if __name__ == "__main__":
    main()
