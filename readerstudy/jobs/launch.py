"""Start a program that dies with its parent: ``python launch.py PARENT_PID NICENESS PROGRAM [ARGUMENT ...]``.

Run as a script, before any import that costs time; the death signal survives the ``exec``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, also by ``kill -9`` (Linux only).

    The parent may have ended before the request was made, hence the second look.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    os.nice(int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])
