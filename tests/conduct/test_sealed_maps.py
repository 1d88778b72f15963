"""SD maps are part of what opening seals: their names, their scale and every byte."""

from __future__ import annotations

import pytest

from readerstudy.audit.canonical import sha256_of
from readerstudy.cases import store
from readerstudy.conduct.frozen import MADE, METRICS, sealed_images
from readerstudy.conduct.verify import verify_study
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.studies.models import StudyImage
from tests.factories import LEVELS, World, make_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """A study whose second arm is a mean over three samples."""
    arms = [
        {"key": "tv", "title": "TV", "method": "tv_recon", "levels": LEVELS},
        {"key": "mean", "title": "Mean", "method": "diffusion_unet", "levels": LEVELS, "settings": {"samples": 3}},
    ]
    return make_open(arms=arms)


def shown(world: World, arm: str) -> Reconstruction:
    return StudyImage.objects.filter(arm__study=world.study, arm__key=arm)[0].reconstruction


def test_a_study_with_maps_holds(world: World) -> None:
    assert shown(world, "mean").uncertainty and not shown(world, "tv").uncertainty
    assert list(verify_study(world.study)) == []


@pytest.mark.parametrize("place", [0, -1])
def test_one_bit_of_a_map_is_found(place: int, world: World) -> None:
    made = shown(world, "mean")
    path = store._path(made.uncertainty)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))
    assert any(made.uncertainty[:12] in fault and "changed since" in fault for fault in verify_study(world.study))
    path.unlink()
    assert any(made.uncertainty[:12] in fault and "not in the store" in fault for fault in verify_study(world.study))


@pytest.mark.parametrize(
    "change", [{"uncertainty": "f" * 64}, {"uncertainty": ""}, {"uncertainty_step": 0.5}, {"uncertainty_step": None}]
)
def test_another_map_or_scale_is_found(change: dict[str, object], world: World) -> None:
    made = shown(world, "mean")
    Reconstruction.objects.filter(pk=made.pk).update(**change)
    faults = list(verify_study(world.study))
    assert any(f"Reconstruction {made.pk}, its metrics or its run" in fault for fault in faults), faults


def test_images_without_a_map_are_sealed_as_before_there_were_any(world: World) -> None:
    made = shown(world, "tv")
    names = ("pixels", "features", "feature_network", "uncertainty", *METRICS)
    own = {name: getattr(made, name) for name in names} | {"slice": made.slice_id}
    run = {name: getattr(made.run, name) for name in MADE}
    assert sealed_images(world.study)[str(made.pk)] == sha256_of([own, run])[:32]
