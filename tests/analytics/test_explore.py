"""Behind the numbers: definitions, images that must be opened first, parts of the readings, figures of images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.analytics import behind
from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.compute import compute
from readerstudy.analytics.definitions import UNKNOWN, definition, definitions
from readerstudy.analytics.filters import Filter, narrowed
from readerstudy.analytics.rows import designs, marks, metrics, people, scores
from readerstudy.analytics.wording import Printed
from readerstudy.audit.models import Entry
from readerstudy.cases.models import Look
from readerstudy.studies.models import Study
from tests.analytics.inputs_factory import full_inputs, pair_inputs
from tests.analytics.test_sections import finish
from tests.factories import SIDE, make_open, read_all


@pytest.fixture
def study(db: None, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr("readerstudy.analytics.figures.FIGURES", {})
    world = make_open(sessions={"number": 2}, slices={"number": 6}, design={"readers": 2, "repeats": 0.2})
    read_all(world)
    done = finish(world)
    make_snapshot(done, None)
    return done


@pytest.fixture
def analyst(study: Study) -> User:
    return study.memberships.get(role="analyst").user


@pytest.fixture
def client(analyst: User) -> Client:
    made = Client()
    made.force_login(analyst)
    return made


def at(study: Study, name: str, *more: str) -> str:
    return reverse(f"analytics:{name}", args=[study.pk, *more])


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The path of every estimate of a document."""
    if isinstance(value, dict) and "value" in value:
        if value["value"] is not None:
            yield "/".join(path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, (*path, str(place)))


def test_every_number_that_the_page_links_has_a_definition(client: Client, study: Study) -> None:
    text = client.get(at(study, "results")).content.decode()
    linked = {part.split('"')[0].split("&")[0] for part in text.split("number/?of=")[1:]}
    kinds = {definition(path): path for path in linked}
    assert len(linked) > 80 and len(kinds) > 20 and UNKNOWN not in kinds, kinds[UNKNOWN]
    for path in kinds.values():
        assert client.get(at(study, "number") + f"?of={path}").status_code == 200, path
    assert all(found.title and found.text.endswith(".") for _, found in definitions())


@pytest.mark.parametrize("make", [full_inputs, pair_inputs])
def test_every_row_of_every_design_has_a_definition(make: Any) -> None:
    document = compute(make(), mixed_models=False)
    rows = [
        scores.opinions(document), scores.agreements(document), scores.against_reference(document),
        scores.details(document), people.leave_one_out(document), scores.comparisons(document),
        scores.modality_means(document), metrics.metrics(document), metrics.metrics_by_modality(document),
        metrics.slice_metrics(document), people.readers(document), people.paces(document),
        people.sensitivity(document), people.guesses(document), marks.rates(document), marks.ledger(document),
        marks.contrasts(document), designs.pairs(document), designs.ladders(document),
    ]  # fmt: skip
    linked = set(links(rows))
    assert linked and not [path for path in linked if definition(path) is UNKNOWN]


def links(value: Any) -> Iterator[str]:
    """The paths of all printed numbers below rows."""
    if isinstance(value, Printed):
        yield from [value.path] if value.path else []
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from links(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from links(inner)


@pytest.mark.parametrize("make", [full_inputs, pair_inputs])
def test_images_stand_behind_numbers_of_every_kind(make: Any) -> None:
    inputs = make()
    document = compute(inputs, mixed_models=False)
    found = {}
    for path in paths({name: document[name] for name in ("arms", "comparisons", "readers", "annotations", "pairs")}):
        what = definition(path)
        scope = behind.scope_of(path.split("/"), document)
        strips = behind.strips(what, scope, inputs)
        found[what.strips] = found.get(what.strips, 0) + len(strips)
        for strip in strips:
            assert 0 < len(strip.images) <= behind.MOST
            assert all(
                not scope.arms or set(shown.arms) <= set(scope.arms) or what.strips == "pairs" for shown in strip.images
            )
    assert all(found.values()) and found


def test_images_are_sent_only_after_they_were_opened(client: Client, study: Study, analyst: User) -> None:
    number = at(study, "number") + "?of=arms/tv_recon/opinion/mean_score"
    picture, raw = at(study, "thumbnail", "S001", "tv_recon"), at(study, "pixels", "S001", "reference")
    assert (
        "Open the images" in client.get(number).content.decode() and picture not in client.get(number).content.decode()
    )
    assert client.get(picture).status_code == client.get(raw).status_code == 409
    assert not Look.objects.filter(user=analyst).exists()
    back = client.post(at(study, "open_images"), {"next": number})
    assert back["Location"] == number
    assert client.post(at(study, "open_images"), {"next": "https://elsewhere.example/"})["Location"] == at(
        study, "results"
    )
    assert Look.objects.filter(user=analyst).count() == study.slices.values("slice__case").distinct().count()
    assert Entry.objects.filter(chain__name=study.chain, verb="images.open", actor=analyst.handle).exists()
    assert client.get(picture)["Content-Type"] == "image/png"
    pixels = client.get(raw)
    assert len(pixels.content) == 2 * SIDE * SIDE and pixels["Cache-Control"] == "private, no-store"


def test_a_slice_shows_all_arms_with_every_score(client: Client, study: Study) -> None:
    page = at(study, "slice", "S002")
    assert "compare-data" not in client.get(page).content.decode()
    client.post(at(study, "open_images"))
    text = client.get(page).content.decode()
    data = json.loads(text.split('id="compare-data" type="application/json">')[1].split("<")[0])
    assert data["captions"] == ["Reference", *(arm.title for arm in study.arms.all())]
    for pane in data["slices"][0]["panes"]:
        assert len(client.get(pane["url"]).content) == 2 * SIDE * SIDE
    assert text.count("<tr>") == 1 + study.arms.count()
    for wrong in ("S999", "S2", "x", "S00²"):
        assert client.get(at(study, "slice", wrong)).status_code == 404
    assert client.get(at(study, "pixels", "S001", "nothing")).status_code == 404


def test_a_path_that_is_no_number_is_not_found(client: Client, study: Study) -> None:
    for path in ("", "nothing", "arms", "arms/none/opinion/mean_score", "study/title", "arms/" * 90, "%00"):
        assert client.get(at(study, "number"), {"of": path}).status_code == 404, path


def test_a_part_has_numbers_of_its_own_and_says_so(client: Client, study: Study) -> None:
    whole = client.get(at(study, "results")).context["document"]
    page = client.get(at(study, "results"), {"modality": "CT", "reader": "R1"})
    part = page.context["document"]
    assert part["pooled"]["n_readers"] == 1 and part["pooled"]["n_scores"] < whole["pooled"]["n_scores"]
    assert "Numbers of a part were not planned" in page.content.decode()
    assert "modality=CT&amp;reader=R1" in page.content.decode(), "links stay within the part"
    everything = client.get(at(study, "results"), {"reader": ["R1", "R2"]})
    assert not everything.context["part"].chosen


def test_a_part_that_is_not_there_is_a_sentence(client: Client, study: Study) -> None:
    for query in ({"modality": "PET"}, {"reader": "R99"}, {"session": "x"}, {"session": "-1"}):
        answer = client.get(at(study, "results"), query)
        assert answer.status_code == 400 and "choose among" in answer.content.decode(), query
    answer = client.get(at(study, "results"), {"pooled": "1"})
    assert answer.status_code == 400 and "There is nothing to pool with" in answer.content.decode()


def test_parts_are_cut_out_of_every_table() -> None:
    part = narrowed(full_inputs(), Filter(modalities=("MR",), readers=("R2",), sessions=(1,)))
    assert {line.modality for line in (*part.scores, *part.images, *part.marks, *part.checks)} == {"MR"}
    assert {line.reader for line in (*part.scores, *part.marks, *part.checks, *part.guesses)} == {"R2"}
    assert {line.session for line in (*part.scores, *part.marks)} == {1}
    assert part.facts.readers == ["R2"] and {line.modality for line in part.sets} == {"", "MR"}


def test_panels_are_drawn_as_chosen(client: Client, study: Study) -> None:
    chosen = {"slices": ["S001", "S003"], "arms": ["tv_recon", "pix2pix"], "difference": "on", "scores": "on",
              "metrics": "on", "inset": "on", "left": "90", "top": "0", "size": "60"}  # fmt: skip
    assert client.get(at(study, "panel_figure", "png"), chosen).status_code == 409
    client.post(at(study, "open_images"))
    page = client.get(at(study, "panels"), chosen)
    assert page.status_code == 200 and "figure.png?" in page.content.decode()
    first = client.get(at(study, "panel_figure", "png"), chosen)
    assert first.content.startswith(b"\x89PNG")
    assert client.get(at(study, "panel_figure", "png"), chosen).content == first.content
    svg = client.get(at(study, "panel_figure", "svg"), chosen).content
    assert b'style="' not in svg and b"<script" not in svg
    assert client.get(at(study, "panel_figure", "pdf"), chosen)["Content-Disposition"].endswith('panels.pdf"')


def test_a_bad_choice_of_panels_is_told_and_draws_nothing(client: Client, study: Study) -> None:
    many = [f"S00{n}" for n in range(1, 8)]
    for wrong in ({"slices": "S999"}, {"arms": "none"}, {"size": "1000"}, {"left": "x"}, {"slices": many}):
        chosen: dict[str, Any] = {"slices": ["S001"], "arms": ["tv_recon"], **wrong}
        assert client.get(at(study, "panels"), chosen).status_code == 400, wrong
        assert client.get(at(study, "panel_figure", "png"), chosen).status_code == 400, wrong


def test_nobody_else_sees_anything(study: Study) -> None:
    reader = study.memberships.filter(role="reader")[0].user
    client = Client()
    client.force_login(reader)
    for name, more in (("number", ()), ("slice", ("S001",)), ("thumbnail", ("S001", "tv_recon")), ("panels", ())):
        assert client.get(at(study, name, *more)).status_code == 404
    assert client.post(at(study, "open_images")).status_code == 404
