"""Every preset is a protocol that opens, and says what it is meant to say."""

from __future__ import annotations

import pytest

from readerstudy.conduct.actions import open_study
from readerstudy.schedules.models import Presentation
from readerstudy.studies.actions import add_member, create_study
from readerstudy.studies.outlook import outlook
from readerstudy.studies.presets import PRESETS, Preset, preset
from tests.factories import make_case, make_run, make_user

SLICES = 34


def test_the_paper_as_written_there() -> None:
    paper = preset("paper").protocol()
    assert (paper.slices.number, paper.slices.stratify, paper.design.readers) == (100, "none", 5)
    assert [arm.title for arm in paper.arms] == ["TV-Recon", "Pix2Pix", "Restormer", "Diffusion-UNet"]
    assert (paper.plan.correction, paper.plan.alpha, paper.plan.readers) == ("bonferroni", 0.05, "fixed")


def test_what_is_recommended() -> None:
    ours = preset("recommended").protocol()
    assert [arm.role for arm in ours.arms[4:]] == ["reference", "anchor"]
    assert (ours.display.reference, ours.design.repeats, ours.plan.readers) == ("hidden", 0.1, "random")


def test_an_unknown_preset_is_the_template() -> None:
    assert preset("nothing").key == "template"


@pytest.mark.django_db
@pytest.mark.parametrize("chosen", PRESETS, ids=lambda one: one.key)
def test_a_preset_opens(chosen: Preset) -> None:
    protocol = chosen.protocol()
    coordinator = make_user(may_coordinate=True)
    for modality in ("CT", "MR", "US"):
        case = make_case(modality, slices=SLICES)
        for method in {arm.method for arm in protocol.arms}:
            make_run(case, method)
    study = create_study(protocol, coordinator)
    for _ in range(protocol.design.readers):
        add_member(study, make_user(), "reader", coordinator)
    before = outlook(protocol)
    assert not before.missing and before.eligible == 3 * SLICES
    open_study(study, coordinator)
    assert study.slices.count() == protocol.slices.number
    shown = Presentation.objects.filter(session__schedule__study=study, session__schedule__reader__number=1)
    assert shown.count() == before.reading.images
    if protocol.slices.stratify == "modality":
        drawn = {row.modality: study.slices.filter(stratum=row.modality).count() for row in before.strata}
        assert drawn == {row.modality: row.drawn for row in before.strata}
