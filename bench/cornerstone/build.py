"""Build the baseline: Cornerstone3D and the adapter as one file, under ``var`` only; nothing of it is ever shipped."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
BUILT = SOURCE.parents[1] / "var" / "bench" / "cornerstone"
BUNDLE = BUILT / "bundle.js"
STAMP = BUILT / "stamp"
FILES = ["package.json", "package-lock.json", "adapter.js", "engine.js", "loader.js", "stubs/xmlbuilder2.js"]
# Scripts of packages stay off: esbuild's own package already holds its program.
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
ESBUILD = [
    "node_modules/.bin/esbuild", "adapter.js", "--bundle", "--minify", "--format=esm",
    "--alias:xmlbuilder2=./stubs/xmlbuilder2.js", f"--outfile={BUNDLE.name}", "--log-level=error",
]  # fmt: skip


@dataclass(frozen=True)
class Bundle:
    """The built file, or the sentence that says why there is none."""

    path: Path | None
    reason: str = ""


def stamp() -> str:
    """Of everything that makes the bundle what it is."""
    parts = [(SOURCE / name).read_bytes() for name in FILES]
    return hashlib.sha256(b"".join([*parts, " ".join(ESBUILD).encode()])).hexdigest()


def cached() -> Bundle:
    """What an earlier build left, if it is of the present sources; builds nothing."""
    if BUNDLE.is_file() and STAMP.is_file() and STAMP.read_text() == stamp():
        return Bundle(BUNDLE)
    return Bundle(None, "The Cornerstone3D bundle is not built; run python -m bench.cornerstone.build.")


def build() -> Bundle:
    """The bundle, built if need be; packages come from the registry once and stay under ``var``."""
    if cached().path:
        return cached()
    if not shutil.which("npm"):
        return Bundle(None, "npm is not installed, so Cornerstone3D was not built; install Node 20 or newer.")
    lock = BUILT / "package-lock.json"
    installed = (BUILT / "node_modules" / ".package-lock.json").is_file() and _same(lock, SOURCE / "package-lock.json")
    for name in FILES:
        (BUILT / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SOURCE / name, BUILT / name)
    print("Building Cornerstone3D, once ...", flush=True)
    reason = "" if installed else _failure(INSTALL)
    if reason:
        # A half-made folder must not look installed to the next build.
        lock.unlink()
        return Bundle(None, f"npm could not install Cornerstone3D ({reason}); check that a registry can be reached.")
    if reason := _failure(ESBUILD):
        return Bundle(None, f"esbuild could not bundle Cornerstone3D ({reason}); look at bench/cornerstone/adapter.js.")
    STAMP.write_text(stamp())
    return Bundle(BUNDLE)


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def _failure(command: list[str]) -> str:
    """The last line that a failed command printed; empty when it went well."""
    try:
        done = subprocess.run(command, cwd=BUILT, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode == 0:
        return ""
    lines = (done.stderr or done.stdout).strip().splitlines()
    return next((line for line in lines if "error" in line.lower()), f"exit status {done.returncode}").strip()[:160]


if __name__ == "__main__":
    built = build()
    print(built.reason or f"{built.path} is ready.")
