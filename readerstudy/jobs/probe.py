"""``python -m readerstudy.jobs.probe``: ask this machine's web server whether it is ready; exit status 0 if it is.

Loads no app and no database driver, so that a container may run it every few seconds.
"""

from __future__ import annotations

import http.client
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from readerstudy import configuration


def ask(port: int, hosts: Sequence[str], page: str = "/readyz") -> str:
    """What is amiss, in one sentence; empty where the server is ready. It answers only to names it knows."""
    name = next((host.lstrip(".") for host in hosts if host != "*"), "localhost")
    request = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        request.request("GET", page, headers={"Host": name})
        answer = request.getresponse()
        words = answer.read(500).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"The web server does not answer on port {port} ({error}): look at its log."
    finally:
        request.close()
    return "" if answer.status == 200 else f"The web server is not ready ({answer.status}): {words}"


if __name__ == "__main__":
    parser = ArgumentParser(description="Exit status 0 if the web server on this machine is ready.")
    parser.add_argument("--port", type=int, default=8000)
    sys.exit(ask(parser.parse_args().port, configuration.read().allowed_hosts) or 0)
