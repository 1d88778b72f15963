"""What a report says before its numbers, and how it handles who left: in the facts, on the page, in the export."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.analytics.actions import export_snapshot, make_snapshot
from readerstudy.analytics.circumstances import circumstances, record_table
from readerstudy.analytics.exports import tables
from readerstudy.analytics.gathering import gather
from readerstudy.analytics.inputs import facts_from_json, facts_json, inputs_of
from readerstudy.analytics.lines import RecordLine
from readerstudy.analytics.plan import planned
from readerstudy.analytics.recompute import inputs_from
from readerstudy.analytics.rows.scores import agreements
from readerstudy.analytics.verify import snapshot_holds
from readerstudy.audit.actions import record
from readerstudy.cases.actions import record_look
from readerstudy.studies.models import Study
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study, make_user

pytestmark = pytest.mark.django_db
SMALL = Shape(slices=6, simulated=False)
SAID = {"years": 12, "specialty": "Chest", "board": "yes", "cases_per_year": 1500, "conflicts": "none"}


@pytest.fixture
def study() -> Study:
    made = make_study(SMALL)
    made.opened_at = timezone.now()
    made.protocol = {
        "study": {"reader_record": list(SAID)}, "slices": {"picked": ["CT-1", "CT-2/3"], "left_out": ["CT-9"]},
    }  # fmt: skip
    made.extends = make_study(Shape(slices=2, readers=1))
    made.save()
    made.readers.filter(number=1).update(record=SAID)
    made.readers.filter(number=2).update(record=SAID | {"years": 3, "conflicts": "Advises a maker"}, state="withdrawn")
    return made


def test_the_facts_hold_what_the_first_page_says(study: Study) -> None:
    facts = gather(study).facts
    assert facts.left == ["R2"]
    assert facts.extends == {"title": "Reading of four methods", "study": str(study.extends_id)}
    said = circumstances(facts)
    assert said[0].startswith("Extension of “Reading of four methods”") and "are called pooled" in said[0]
    assert said[1] == (
        "The slices are picked by hand, not by rule alone: 2 cases or slices are named as the frame of the draw."
    )
    assert said[2] == "One case is left out of the frame of slices by hand."
    assert said[3] == "Nobody had seen any of the 3 drawn cases unblinded before this extension was opened."
    assert facts_from_json(facts_json(facts)) == facts


def test_looks_are_those_before_the_draw_as_opening_counted_them() -> None:
    study = make_study(SMALL)
    assert circumstances(gather(study).facts) == [], "a study without an opening says nothing"
    first, second = make_user("first"), make_user("second")
    cases = [row.slice.case for row in study.slices.order_by("position")]
    for case, user in ((cases[0], first), (cases[0], second), (cases[2], first)):
        record_look(case, user)
    study.opened_at = timezone.now()
    study.save()
    record_look(cases[4], second)
    assert circumstances(gather(study).facts) == [
        "2 people had seen 2 of the 3 drawn cases unblinded (reference or comparison) before the slices were drawn."
    ]
    first.delete()
    record(study.chain, "u-test", "study.open", f"study:{study.pk}", {"looks": {"people": 1, "cases": 2}})
    (said,) = circumstances(gather(study).facts)
    assert said.startswith("1 person had seen 2 of the 3"), "what the chain holds stays, whoever is erased"


def test_the_page_and_the_export_say_it_first(study: Study, exported: Exported) -> None:
    client, by = Client(), add_member(study, "analyst")
    client.force_login(by)
    snapshot = make_snapshot(study, None)
    page = client.get(reverse("analytics:results", args=[study.pk])).content.decode()
    head, numbers = page.split('<div class="stats">')
    for sentence in ("are called pooled", "picked by hand", "left out of the frame", "Nobody had seen any of the 3"):
        assert sentence in head
    assert "All arms of this extension pooled" in numbers
    assert "Advises a maker" in numbers and "1,500" in numbers and "median 7.5, 3 to 12 (n = 2)" in numbers
    with zipfile.ZipFile(io.BytesIO(export_snapshot(snapshot, by))) as archive:
        readme = archive.read("README.txt").decode()
        readers = archive.read("readers.csv").decode().splitlines()
        assert json.loads(archive.read("statistics.json"))["study"]["left"] == ["R2"]
    assert readme.index("READ BEFORE THE NUMBERS") < readme.index("picked by hand") < readme.index("FILES")
    assert readers[1:] == [
        "R1,active,12,Chest,yes,1500,none,0",
        "R2,withdrawn,3,Chest,yes,1500,Advises a maker,0",
        "R3,active,,,,,,0",
    ]
    assert list(snapshot_holds(study)) == []
    study.readers.filter(number=1).update(record=SAID | {"years": 40})
    faults = list(snapshot_holds(study))
    assert faults == [f"Snapshot {snapshot.pk} was computed from other records than the study holds."]


def test_an_ordinary_study_is_not_called_an_extension(exported: Exported) -> None:
    document = json.loads(exported.statistics)
    assert agreements(document)[-1].title == "All arms pooled"
    assert "readers.csv" not in tables(inputs_of(exported.statistics, exported.tables))


def test_inputs_with_records_come_back_from_their_files(study: Study) -> None:
    inputs = gather(study)
    files = {name: text.encode() for name, text in tables(inputs).items()}
    assert inputs_from(files) == inputs


def test_facts_that_say_nothing_change_no_hash(exported: Exported) -> None:
    inputs = inputs_of(exported.statistics, exported.tables)
    assert inputs.facts.extends == {} and inputs.records == ()
    plain = json.loads(exported.statistics)["study"]
    for name in ("extends", "chosen", "looks", "left"):
        del plain[name]
    earlier = inputs_of(
        json.dumps({"study": plain}), {name: text for name, text in exported.tables.items() if name != "records"}
    )
    assert earlier.digest("1") == inputs.digest("1")
    assert replace(inputs, facts=replace(inputs.facts, left=["R1"])).digest("1") != inputs.digest("1")


def test_complete_slices_are_those_of_who_stayed(study: Study) -> None:
    inputs = gather(study)
    facts = replace(inputs.facts, plan={"missing": "complete slices"}, left=["R2"])
    given = {
        "S001": {"R1": "3", "R2": "", "R3": "4"}, "S002": {"R1": "", "R2": "5", "R3": "4"},
        "S003": {"R1": "NA", "R2": "5", "R3": "4"}, "S004": {"R1": "1", "R2": "2", "R3": "4"},
    }  # fmt: skip
    lines = [
        replace(inputs.scores[0], slice=name, reader=reader, score=score, repeat=0)
        for name, scores in given.items()
        for reader, score in scores.items()
    ]
    assert {kept.slice for kept in planned(lines, facts)} == {"S001", "S004"}
    assert [kept.score for kept in planned(lines, facts)] == ["3", "", "4", "1", "2", "4"]
    assert {kept.slice for kept in planned(lines, replace(facts, left=[]))} == {"S004"}


def test_no_table_where_nobody_said_anything() -> None:
    silent = RecordLine("R1", "active", None, "", "", None, "", 0)
    assert record_table([]) is record_table([silent]) is None
    table = record_table([silent, replace(silent, reader="R2", years=0)])
    assert table is not None and table.titles == (("Years of experience", True),)
    assert [cells for _, _, cells in table.rows] == [(("–", True),), (("0", True),)]
