"""Figures: there, the same every time, marked where simulated, free of inline style, and right in what they show."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from readerstudy.analytics import figures
from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.compute import compute
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, make_study
from tests.analytics.inputs_factory import full_inputs, pair_inputs


@pytest.fixture
def document(exported: Exported) -> Any:
    return json.loads(exported.statistics)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """Every figure's name with a document that has it: of a ladder with marks, and of a pairwise study."""
    made = [compute(inputs, mixed_models=False) for inputs in (full_inputs(), pair_inputs())]
    return {name: next(d for d in made if kind.applies(d)) for name, kind in figures.FIGURES.items()}


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_the_same_every_time(name: str, whole: dict[str, Any]) -> None:
    document = whole[name]
    for kind, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
        first = figures.render(name, document, kind)
        assert first.startswith(start) and len(first) > 4000
        assert figures.render(name, document, kind) == first


@pytest.mark.parametrize("name", figures.FIGURES)
def test_svg_obeys_the_content_policy(name: str, whole: dict[str, Any]) -> None:
    svg = figures.render(name, whole[name])
    ElementTree.fromstring(svg)
    assert b"<style" not in svg and b'style="' not in svg and b"<script" not in svg


@pytest.mark.parametrize("name", figures.FIGURES)
def test_simulated_readers_are_stamped_on_every_figure(name: str, whole: dict[str, Any]) -> None:
    document = whole[name]
    drawn = texts(name, document)
    assert figures.SIMULATED in drawn and "Research use only, not for diagnosis" in drawn
    people = texts(name, {**document, "simulated": False})
    assert figures.SIMULATED not in people and "Research use only, not for diagnosis" in people


def test_a_figure_is_left_out_where_the_study_has_nothing_for_it(document: Any) -> None:
    there = {name for name, kind in figures.FIGURES.items() if kind.applies(document)}
    assert there == {"scores", "means", "agreement", "fid_med", "modalities", "readers", "reading"}


def test_fid_figure_prints_n_and_no_p_value(document: Any) -> None:
    drawn = texts("fid_med", document)
    assert any("n = 4 arms" in text and "r = " in text and "p" not in text.split() for text in drawn)
    assert any("too few" in text for text in drawn) and "Paper" in drawn


def test_undefined_values_are_drawn_as_a_word(db: None) -> None:
    study = make_study(Shape(slices=6, equal=True))
    document = json.loads(make_snapshot(study, None).statistics)
    assert "undefined" in texts("agreement", document)
    assert all(texts(name, document) for name, kind in figures.FIGURES.items() if kind.applies(document))


def test_shares_of_scores_fill_the_bar(document: Any) -> None:
    drawn = texts("scores", document)
    assert any("n = 34, 1 cannot judge" in text for text in drawn)


def test_unknown_figures_are_refused(document: Any) -> None:
    with pytest.raises(figures.UnknownFigure, match=r"no figure secret\.svg"):
        figures.render("secret", document)
    with pytest.raises(figures.UnknownFigure):
        figures.render("means", document, "exe")


def texts(name: str, document: Any) -> list[str]:
    """Everything that is written in a figure."""
    return [found.get_text() for found in figures.draw(name, document).findobj(match=_is_text)]


def _is_text(artist: Any) -> bool:
    from matplotlib.text import Text

    return isinstance(artist, Text)
