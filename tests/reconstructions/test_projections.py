"""A run that starts from CT's line integrals gets them from the worker; the others don't pay for keeping them."""

from __future__ import annotations

import pytest

from readerstudy.jobs.claims import claim
from readerstudy.reconstructions import tasks
from readerstudy.reconstructions.actions import request_runs
from readerstudy.reconstructions.models import Reconstruction
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db


def test_total_variation_on_projections_is_made_by_the_worker() -> None:
    tasks._measurements.clear()
    case, person = make_case("CT", slices=1), make_user(may_coordinate=True)
    for settings in ({"iterations": 5}, {"iterations": 5, "data_term": "projections"}):
        request_runs([case], ["tv_recon"], {"CT": 0.25}, person, settings={"tv_recon": settings})
        held = claim("cpu", "worker")
        assert held is not None
        tasks.reconstruct(held)
    rows = Reconstruction.objects.filter(run__method="tv_recon")
    assert [row.failure for row in rows] == ["", ""] and len({row.pixels for row in rows}) == 2
    kept = {key[2]: measured.projections is not None for key, measured in tasks._measurements.items()}
    assert kept == {False: False, True: True}
