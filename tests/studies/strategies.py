"""Every protocol that can be written: what hypothesis draws from."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from readerstudy.studies.protocol import (
    CATEGORIES,
    CHOICES,
    FIDELITY_LABELS,
    LONGEST_LABEL,
    Protocol,
    RecordField,
    from_data,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
# What a browser's text box gives back: it knows one end of a line.
TYPED = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], include_characters="\t\n\"\\'"), max_size=30)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def settings(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = st.booleans() | st.integers(-(2**63), 2**63) | FINITE | words
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
    )


def choose(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


@st.composite
def protocols(draw: st.DrawFn, words: st.SearchStrategy[str] = WORDS) -> Protocol:
    """A valid protocol, every key of it drawn."""
    pairwise = draw(st.booleans())
    keys = draw(st.lists(words, min_size=2, max_size=5, unique=True))
    asked = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    arms = [
        _arm(draw, words, key, "reference" if i == 0 else draw(choose("compared", "anchor")))
        for i, key in enumerate(keys)
    ]
    criteria = [
        {
            "key": key, "title": draw(words), "question": draw(words),
            "texts": {a: draw(words.filter(bool)) for a in (CHOICES if pairwise else CATEGORIES)},
        }
        for key in asked
    ]  # fmt: skip
    least, most = len(keys) - 1, len(keys) * (len(keys) - 1) // 2
    data: dict[str, Any] = {
        "study": _study(draw, words),
        "slices": _slices(draw, words),
        "arms": arms,
        "criteria": criteria,
        "display": _display(draw, words, pairwise),
        "sessions": {
            "number": draw(st.integers(1, 40)), "minimum_days_apart": draw(st.integers(0, 365)),
            "break_after_minutes": draw(st.integers(0, 999)), "too_fast_ms": draw(st.integers(0, 9999)),
        },
        "design": {
            "kind": "pairwise" if pairwise else draw(choose("balanced", "random", "blocked_by_modality")),
            "minimum_gap": draw(st.integers(1, 100)), "repeats": draw(st.floats(0, 0.5)),
            "readers": draw(st.integers(1, 100)), "reserves": draw(st.integers(0, 20)),
            "practice": 0 if pairwise else draw(st.integers(0, 50)), "fidelity": draw(st.floats(0, 1)),
            "guess_images": draw(st.integers(0, 10)),
            "pairs_per_slice": draw(st.just(0) | st.integers(least, most)) if pairwise else 0,
        },
        "plan": _plan(draw, words, keys, asked),
    }  # fmt: skip
    return from_data(data)


def _study(draw: st.DrawFn, words: st.SearchStrategy[str]) -> dict[str, Any]:
    record = draw(st.sets(st.sampled_from(get_args(RecordField))))
    return {
        "title": draw(words.filter(lambda text: bool(text.strip()))), "seed": draw(st.integers(0, 2**63 - 1)),
        "approval_body": draw(words), "approval_number": draw(words), "registration": draw(words),
        "consent": draw(words), "reader_record": [name for name in get_args(RecordField) if name in record],
    }  # fmt: skip


def _slices(draw: st.DrawFn, words: st.SearchStrategy[str]) -> dict[str, Any]:
    return {
        "number": draw(st.integers(2, 2000)), "stratify": draw(choose("modality", "none")),
        "one_per_patient": draw(st.booleans()), "edge_slices": draw(st.booleans()),
        "minimum_body_share": draw(st.floats(0, 1)), "anatomy": draw(st.lists(words, max_size=3)),
        "sources": draw(st.lists(words, max_size=3)),
        "picked": draw(st.lists(words.filter(lambda text: "/" not in text).map("p{}".format), max_size=3, unique=True)),
        "left_out": draw(st.lists(words.map("o{}".format), max_size=3, unique=True)),
    }  # fmt: skip


def _arm(draw: st.DrawFn, words: st.SearchStrategy[str], key: str, role: str) -> dict[str, Any]:
    return {
        "key": key, "title": draw(words), "method": draw(words), "role": role,
        "levels": draw(st.dictionaries(choose("CT", "MR", "US"), FINITE)),
        "settings": draw(st.dictionaries(words, settings(words), max_size=3)),
    }  # fmt: skip


def _display(draw: st.DrawFn, words: st.SearchStrategy[str], pairwise: bool) -> dict[str, Any]:
    labels = words.filter(
        lambda text: bool(text.strip()) and len(text) <= LONGEST_LABEL and text not in FIDELITY_LABELS
    )
    return {
        "reference": draw(choose("none", "hidden") if pairwise else choose("none", "hidden", "beside")),
        "interpolation": draw(choose("smooth", "nearest")), "window": draw(choose("free", "fixed")),
        "zoom": draw(choose("free", "fixed")), "dark_interval_ms": draw(st.integers(0, 5000)),
        "back": draw(st.integers(0, 10)), "context_slices": draw(st.integers(0, 10)),
        "pixel_statistics": draw(st.booleans()), "labels": draw(st.lists(labels, max_size=3, unique=True)),
        "check": draw(choose("off", "asked", "required")),
    }  # fmt: skip


def _plan(draw: st.DrawFn, words: st.SearchStrategy[str], arms: list[str], criteria: list[str]) -> dict[str, Any]:
    comparator = draw(st.sampled_from(arms))
    hypothesis = draw(choose("superiority", "non-inferiority", "equivalence"))
    margins = st.floats(0.001, 4)
    return {
        "primary_criterion": draw(st.sampled_from(criteria)), "hypothesis": hypothesis, "comparator": comparator,
        "margin": draw(st.none() | margins if hypothesis == "superiority" else margins),
        "comparisons": draw(choose("all pairs", "against comparator") if comparator else st.just("all pairs")),
        "correction": draw(choose("bonferroni", "holm", "none")), "alpha": draw(st.floats(0.0001, 0.2)),
        "readers": draw(choose("fixed", "random")),
        "missing": draw(choose("available scores", "complete slices")),
        "cannot_judge": draw(choose("excluded", "worst score")), "stopping_rule": draw(words),
        "secondary": draw(st.lists(words, max_size=3)),
    }  # fmt: skip
