"""What a protocol comes to, held against the draw and the order that are made later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readerstudy.cases.models import Slice
from readerstudy.reconstructions.recording import counted
from readerstudy.schedules.actions import DrawError, _shares
from readerstudy.schedules.designs.types import Design, DesignSlice, repeat_count, rounds_of
from readerstudy.studies.actions import StudyError, create_study
from readerstudy.studies.outlook import outlook, reading, shares
from readerstudy.studies.protocol import ProtocolError
from readerstudy.studies.queries import protocol_of
from tests.factories import ARMS, LEVELS, TEXTS, make_case, make_open, make_protocol, make_run, make_user

PAIRS = {"left": "left", "equal": "equal", "right": "right"}


@given(st.dictionaries(st.sampled_from(["CT", "MR", "US"]), st.integers(0, 60)), st.integers(1, 100))
def test_shares_are_those_of_the_draw(available: dict[str, int], number: int) -> None:
    try:
        assert shares(available, number) == _shares(dict(sorted(available.items())), number)
    except DrawError:
        assert shares(available, number) == available


@pytest.mark.parametrize(
    ("kind", "pairs", "repeats"),
    [("balanced", 0, 0.0), ("random", 0, 0.1), ("pairwise", 0, 0.05), ("pairwise", 3, 0.1), ("pairwise", 5, 0.25)],
)
def test_images_are_those_of_the_order(kind: str, pairs: int, repeats: float) -> None:
    criteria = [{"key": "c", "title": "C", "question": "?", "texts": PAIRS if kind == "pairwise" else TEXTS}]
    protocol = make_protocol(
        criteria=criteria, plan={"primary_criterion": "c"}, slices={"number": 7},
        design={"kind": kind, "pairs_per_slice": pairs, "repeats": repeats},
    )  # fmt: skip
    rows = tuple(DesignSlice(str(n), "CT", f"P{n}") for n in range(7))
    design = Design(4, rows, 4, protocol.design.kind, repeats=repeats, pairs_per_slice=pairs or None)
    told = reading(protocol)
    assert told.repeats == repeat_count(design)
    assert told.images == rounds_of(design) * 7 + told.repeats


@pytest.mark.django_db
def test_pairs_per_slice_reach_the_order() -> None:
    criteria = [{"key": "c", "title": "C", "question": "?", "texts": PAIRS}]
    world = make_open(
        criteria=criteria, plan={"primary_criterion": "c"}, design={"kind": "pairwise", "pairs_per_slice": 3},
    )  # fmt: skip
    shown = sum(session.presentations.count() for session in world.sessions())
    assert shown == reading(protocol_of(world.study)).images == 3 * 8


@pytest.mark.parametrize(("pairs", "kind"), [(2, "pairwise"), (7, "pairwise"), (3, "balanced")])
def test_pairs_that_connect_nothing_are_refused(pairs: int, kind: str) -> None:
    texts = PAIRS if kind == "pairwise" else TEXTS
    criteria = [{"key": "overall", "title": "C", "question": "?", "texts": texts}]
    with pytest.raises(ProtocolError, match=r"design\.pairs_per_slice: "):
        make_protocol(criteria=criteria, design={"kind": kind, "pairs_per_slice": pairs})


def test_minutes_are_criteria_by_images_by_seconds() -> None:
    two = [{"key": k, "title": k, "question": "?", "texts": TEXTS} for k in ("overall", "noise")]
    told = reading(make_protocol(criteria=two, slices={"number": 30}), seconds=10)
    assert (told.images, told.minutes, told.images_per_session, told.minutes_per_session) == (120, 40, 30, 10)


@pytest.mark.django_db
def test_what_is_missing_is_named_per_arm_and_modality() -> None:
    for modality in ("CT", "MR"):
        case = make_case(modality, slices=3)
        for method in ARMS[:3]:
            make_run(case, method)
    told = outlook(make_protocol(display={"reference": "beside"}, slices={"number": 4}))
    assert [(m.arm, m.modality, m.missing, m.of) for m in told.missing] == [
        ("diffusion_unet", "CT", 3, 3), ("diffusion_unet", "MR", 3, 3),
        ("the reference beside", "CT", 3, 3), ("the reference beside", "MR", 3, 3),
    ]  # fmt: skip
    assert told.missing[0].query == "methods=diffusion_unet&modality=CT&ct=0.25"
    assert [(s.modality, s.slices, s.patients, s.drawn) for s in told.strata] == [("CT", 3, 1, 2), ("MR", 3, 1, 2)]
    assert told.obstacles[0].startswith("12 images of eligible slices are not made yet")


@pytest.mark.django_db
def test_of_a_run_that_lacks_images_those_it_has_count() -> None:
    """Whole runs are counted by their cases, others slice by slice; slices that are not eligible never."""
    cases = [make_case("CT", slices=3) for _ in range(3)]
    whole, failed, never = (make_run(case, "tv_recon") for case in cases)
    with counted(failed):
        failed.reconstructions.filter(slice__index=1).update(pixels="", failure="out of memory")
    with counted(never):
        never.reconstructions.all().delete()
    make_run(cases[1], "tv_recon", settings={"iterations": 7})
    Slice.objects.filter(case=whole.measurement.case, index=0).update(edge=True)
    arm = {"key": "default", "title": "TV", "method": "tv_recon", "levels": LEVELS}
    other = arm | {"key": "other", "title": "TV, 7 steps", "settings": {"iterations": 7}}
    told = outlook(make_protocol(arms=[arm, other], slices={"number": 4, "edge_slices": False}))
    assert [(m.arm, m.missing, m.of) for m in told.missing] == [("TV", 4, 8), ("TV, 7 steps", 5, 8)]


@pytest.mark.django_db
def test_an_image_at_another_level_or_setting_does_not_count() -> None:
    make_run(make_case("CT", slices=2), "tv_recon")
    other = [{"key": m, "title": m, "method": m, "levels": {**LEVELS, "CT": 0.5}} for m in ("tv_recon", "pix2pix")]
    assert [m.missing for m in outlook(make_protocol(arms=other)).missing] == [2, 2]
    other[0] |= {"levels": LEVELS, "settings": {"iterations": 7}}
    told = outlook(make_protocol(arms=other))
    assert [m.missing for m in told.missing] == [2, 2]
    assert told.missing[0].query == "methods=tv_recon&modality=CT&tv_recon.iterations=7&ct=0.25"


@pytest.mark.django_db
def test_too_few_slices_or_patients_are_said() -> None:
    make_case("CT", slices=9)
    assert "9 slices are eligible" in outlook(make_protocol(slices={"number": 10})).obstacles[0]
    one = outlook(make_protocol(slices={"number": 2, "one_per_patient": True}))
    assert "1 patients have eligible slices" in one.obstacles[0] and one.strata[0].drawn == 1


@pytest.mark.django_db
def test_a_setting_that_its_method_lacks_is_refused() -> None:
    arms = [{"key": m, "title": m, "method": m, "settings": {"steps": 3}} for m in ("diffusion_unet", "tv_recon")]
    with pytest.raises(ProtocolError, match=r"TV-Recon has no setting 'steps'") as caught:
        create_study(make_protocol(arms=arms), make_user(may_coordinate=True))
    assert caught.value.key == "arms[2].settings"
    assert not issubclass(ProtocolError, StudyError)
