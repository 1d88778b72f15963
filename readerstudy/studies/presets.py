"""Protocols to start from, each a TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from readerstudy.studies.protocol import Protocol, read_toml

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Preset:
    key: str
    title: str
    summary: str
    path: Path

    def protocol(self) -> Protocol:
        return read_toml(self.path.read_text())


PRESETS = (
    Preset(
        "template", "Four methods", "24 slices, four methods, five readers, random-reader analysis.",
        HERE / "protocol.toml",
    ),
    Preset(
        "paper", "As in the paper", "100 slices, four methods, five readers, paired t-tests with Bonferroni.",
        HERE / "presets" / "paper.toml",
    ),
    Preset(
        "recommended", "Recommended",
        "Adds the hidden reference, a low anchor, 10 % repeats and the multi-reader analysis.",
        HERE / "presets" / "recommended.toml",
    ),
)  # fmt: skip


def preset(key: str) -> Preset:
    """The preset of this key; the template for any other."""
    return next((one for one in PRESETS if one.key == key), PRESETS[0])
