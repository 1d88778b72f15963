"""Inputs of a study with everything: levels, marks, a fidelity pass, guesses, sittings; no database."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import numpy as np

from readerstudy.analytics.inputs import ArmFacts, Inputs, StudyFacts
from readerstudy.analytics.lines import (
    CheckLine,
    GuessLine,
    ImageLine,
    MarkLine,
    PairLine,
    ScoreLine,
    SessionLine,
    SetLine,
)

LEVELS = {"CT": (0.5, 0.25, 0.1), "MR": (4.0, 6.0, 8.0)}
METHODS = {"tv_recon": "TV-Recon", "restormer": "Restormer"}
LABELS = ("artefact", "noise", "blur")
SIZES = {"CT": 512, "MR": 320}


def full_inputs(slices: int = 24, readers: int = 4, seed: int = 0) -> Inputs:
    """Two methods at three levels of CT and MR and the hidden reference; half of the slices compared afterwards."""
    generator = np.random.default_rng(seed)
    arms = [
        ArmFacts(
            f"{method}_{step}", f"{title} {['high', 'mid', 'low'][step]}", method, "compared",
            {name: levels[step] for name, levels in LEVELS.items()}, {"device": ["cpu"], "network_calls": [1]},
        )
        for method, title in METHODS.items()
        for step in range(3)
    ]  # fmt: skip
    arms.append(ArmFacts("reference", "Reference", "reference", "reference", {}, {"device": ["cpu"]}))
    people = [f"R{number}" for number in range(1, readers + 1)]
    facts = StudyFacts(
        study="00000000-0000-4000-8000-000000000000", title="Dose ladder of two methods", protocol_hash="a" * 64,
        plan_hash="b" * 64,
        plan={
            "primary_criterion": "overall", "hypothesis": "non_inferiority", "margin": 0.5, "comparator": "reference",
        },
        criteria={"overall": "Overall image quality"}, categories=[1, 2, 3, 4, 5], arms=arms, readers=people,
        seed=0, draws=100, simulated=True, labels=list(LABELS),
    )  # fmt: skip
    lines: dict[str, list[Any]] = {name: [] for name in ("scores", "marks", "checks", "guesses", "images")}
    for number in range(slices):
        where = {
            "slice": f"S{number + 1:03d}", "patient": f"P-{number // 2:03d}", "modality": ("CT", "MR")[number // 2 % 2],
        }  # fmt: skip
        for place, arm in enumerate(arms):
            quality = 4.6 if arm.role == "reference" else 4.4 - 0.6 * (place % 3) + 0.3 * (place // 3)
            lines["images"].append(_image(arm.key, where, quality, generator))
            for r, reader in enumerate(people):
                _read(lines, generator, arm.key, {**where, "reader": reader}, quality + 0.2 * r - 0.3, number, place)
    sets = [
        SetLine(arm.key, name, 40.0 + 12 * i, 30.0 + 12 * i, 50.0 + 12 * i, 0.01 * i, slices, slices // 2, "", 1)
        for name in ("", "CT", "MR")
        for i, arm in enumerate(facts.compared())
    ]
    sittings = [
        SessionLine(
            reader, session, 42, 42, 1, 0, 3.5, "flagged" if (reader, session) == ("R2", 1) else "passed", "3840x2160",
            2.0, "dim", "no", 1,
        )
        for reader in people
        for session in (1, 2)
    ]  # fmt: skip
    return Inputs(facts, sets=tuple(sets), sessions=tuple(sittings), **{k: tuple(v) for k, v in lines.items()})


def _image(arm: str, where: dict[str, str], quality: float, generator: np.random.Generator) -> ImageLine:
    psnr = None if arm == "reference" else 24 + 3 * quality + float(generator.normal())
    return ImageLine(
        arm=arm, psnr=psnr, ssim=0.5 + 0.09 * quality, nmse=0.01 / quality, feature_distance=5 - quality,
        latency_ms=100 + 20 * quality + float(generator.normal()), device="cpu", pixels="d" * 64, weights="e" * 64,
        simulated=1, **where,
    )  # fmt: skip


def _read(
    lines: dict[str, list[Any]],
    generator: np.random.Generator,
    arm: str,
    where: dict[str, str],
    quality: float,
    number: int,
    place: int,
) -> None:
    score = int(np.clip(np.rint(quality + generator.normal(scale=0.6)), 1, 5))
    session, position = 1 + number % 2, (number // 2) * 7 + place
    refused = generator.random() < 0.01
    lines["scores"].append(
        ScoreLine(
            arm=arm, score="NA" if refused else str(score), session=session, repeat=0, criterion="overall",
            position=position, seconds=4 + 2 * float(generator.random()), idle_s=0.5, simulated=1, **where,
        )
    )  # fmt: skip
    size = SIZES[where["modality"]]
    for label in LABELS:
        if generator.random() < 0.12 * (5 - quality):
            points = np.round(generator.uniform(0, size, (1, 2)), 1).tolist()
            lines["marks"].append(_mark(where, arm, session, "scores", label, points))
    if number % 2 == 0:
        lines["checks"].append(CheckLine(arm=arm, session=session, done=1, simulated=1, **where))
        if arm != "reference" and generator.random() < 0.08 * (5 - quality):
            points = np.round(generator.uniform(0, size, (1, 2)), 1).tolist()
            grave = "could change the report" if generator.random() < 0.3 else "none"
            label = "invented structure" if generator.random() < 0.5 else "lost structure"
            lines["marks"].append(_mark(where, arm, session, "fidelity", label, points, 3, grave))
    if number < 3:
        guessed = arm if generator.random() < 0.4 else ""
        own = {name: where[name] for name in ("slice", "reader", "patient", "modality")}
        lines["guesses"].append(GuessLine(arm=arm, guessed=guessed, reason="", simulated=1, **own))


def _mark(
    where: dict[str, str],
    arm: str,
    session: int,
    phase: str,
    label: str,
    points: list[list[float]],
    confidence: int | None = None,
    consequence: str = "",
) -> MarkLine:
    return MarkLine(
        arm=arm, session=session, phase=phase, label=label, shape="point", points=json.dumps(points),
        frame_offset=0, length_mm=None, confidence=confidence, consequence=consequence, comment="", simulated=1,
        **where,
    )  # fmt: skip


def pair_inputs(slices: int = 8, readers: int = 3, seed: int = 0) -> Inputs:
    """A pairwise study of three arms, each better than the one before; one pair of each reader comes again."""
    generator = np.random.default_rng(seed)
    keys = ("first", "second", "third")
    arms = [ArmFacts(key, key.title(), "tv_recon", "compared", {}, {}) for key in keys]
    people = [f"R{number}" for number in range(1, readers + 1)]
    facts = StudyFacts(
        study="00000000-0000-4000-8000-000000000001", title="In pairs", protocol_hash="a" * 64, plan_hash="b" * 64,
        plan={"primary_criterion": "overall"}, criteria={"overall": "Overall"}, categories=[], arms=arms,
        readers=people, seed=0, draws=100, simulated=True, pairwise=True,
    )  # fmt: skip
    lines = []
    for s in range(slices):
        for reader in people:
            for place, (a, b) in enumerate(combinations(range(3), 2)):
                for repeat in range(1 + (s == 0 and place == 0)):
                    left, right = (b, a) if (s + repeat) % 2 else (a, b)
                    ahead = left - right + generator.normal(scale=1.5)
                    choice = "equal" if abs(ahead) < 0.4 else "left" if ahead > 0 else "right"
                    lines.append(
                        PairLine(
                            f"S{s + 1:03d}", keys[left], keys[right], reader, choice, f"P{s}", "CT", 1, repeat,
                            "overall", 3 * s + place, 4.0, 1,
                        )
                    )  # fmt: skip
    return Inputs(facts, pairs=tuple(lines))
