"""The deposit package: complete, valid, recomputable, without pixels; its form, its audit row, its permissions."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.analytics.deposit import (
    Creator,
    Deposit,
    Related,
    SourceTerms,
    citation,
    datacite,
    deposit_files,
    is_orcid,
    known_licence,
    readme,
)
from readerstudy.analytics.deposit_forms import identifier
from readerstudy.analytics.recompute import recompute
from readerstudy.audit.models import Entry
from readerstudy.cases.models import Source
from readerstudy.studies.models import Study
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study, make_user
from tests.analytics.tables import FACTS

JOSIAH = "0000-0002-1825-0097"  # ORCID's own example
DEPOSIT = Deposit(
    title='Scores of "four" methods: a study',
    description="Line one\nline two: # not a comment",
    creators=(
        Creator("Carberry", "Josiah", JOSIAH, "Brown University"),
        Creator("Müller, Söhne & Co."),
    ),
    publisher="Zenodo",
    year=2026,
    keywords=("CT", "reader study"),
    licence=known_licence("CC-BY-4.0"),
    related=(Related("IsSupplementTo", "10.1234/abc"), Related("IsDocumentedBy", "https://example.org/NCT1")),
)
FORM = {
    "title": "Scores of four methods", "description": "What was read.", "publisher": "Zenodo", "year": "2026",
    "keywords": "CT, MR; CT", "licence": "CC0-1.0", "own_title": "", "own_text": "", "paper": "https://doi.org/10.1234/ab",
    "registration": "https://example.org/NCT1", "further": "doi:10.5555/x\n\n10.5555/y\n",
    "creators-TOTAL_FORMS": "2", "creators-INITIAL_FORMS": "0",
    "creators-0-family": "Carberry", "creators-0-given": "Josiah",
    "creators-0-orcid": f"https://orcid.org/{JOSIAH}", "creators-0-affiliation": "",
    "creators-1-family": "", "creators-1-given": "", "creators-1-orcid": "", "creators-1-affiliation": "",
}  # fmt: skip


def test_orcid_check_digit() -> None:
    assert is_orcid(JOSIAH) and is_orcid("0000-0002-1694-233X") and is_orcid("0000-0001-5109-3700")
    wrong = ("0000-0002-1825-0098", "0000-0002-1694-2330", "0000000218250097", "", "0000-0002-1825-009x", "a" * 19)
    assert not any(is_orcid(text) for text in wrong)


def test_identifiers_lose_what_stands_before_a_doi() -> None:
    for text in ("10.1234/ab", " doi:10.1234/ab", "https://doi.org/10.1234/ab", "http://dx.doi.org/10.1234/ab"):
        assert identifier(text) == "10.1234/ab"
    assert identifier("https://example.org/x") == "https://example.org/x" and identifier("  ") == ""


def test_citation_is_valid_against_the_schema(tmp_path: Path) -> None:
    """check-jsonschema carries the schema of the Citation File Format 1.2.0."""
    path = tmp_path / "CITATION.cff"
    own = replace(DEPOSIT, licence=replace(DEPOSIT.licence, spdx="", url=""), keywords=())
    for made in (DEPOSIT, own):
        path.write_text(citation(made), encoding="utf-8")
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
        done = subprocess.run([*command, "--default-filetype", "yaml", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    text = citation(DEPOSIT)
    assert 'title: "Scores of \\"four\\" methods: a study"' in text and f"https://orcid.org/{JOSIAH}" in text
    assert "license: CC-BY-4.0" in text and "license:" not in citation(own)


def test_datacite_has_what_the_kernel_requires() -> None:
    made = datacite(DEPOSIT)
    assert {"creators", "titles", "publisher", "publicationYear", "types", "schemaVersion"} <= set(made)
    person, firm = made["creators"]
    assert person["name"] == "Carberry, Josiah" and person["nameType"] == "Personal"
    assert person["nameIdentifiers"][0]["nameIdentifier"].endswith(JOSIAH)
    assert firm == {"name": "Müller, Söhne & Co.", "nameType": "Organizational"}
    assert [one["relatedIdentifierType"] for one in made["relatedIdentifiers"]] == ["DOI", "URL"]
    assert made["types"]["resourceTypeGeneral"] == "Dataset" and made["publicationYear"] == "2026"
    # The names of its JSON schema, datacite-v4.5.json, which takes no others.
    assert set(made["rightsList"][0]) == {
        "rights", "rightsUri", "rightsIdentifier", "rightsIdentifierScheme", "schemeUri",
    }  # fmt: skip


def test_readme_names_terms_and_sources_and_says_that_there_are_no_pixels() -> None:
    sources = [SourceTerms("LDCT | set", "CC BY 3.0"), SourceTerms("Local", "")]
    text = readme(DEPOSIT, FACTS, sources)
    assert "no pixels" in text and "| LDCT \\| set | CC BY 3.0 |" in text and "| Local | not stated |" in text
    assert "Research use only" in text and "SIMULATED" not in text and "<https://doi.org/10.1234/abc>" in text
    assert "SIMULATED READERS" in readme(DEPOSIT, replace(FACTS, simulated=True), sources)


@pytest.mark.parametrize("spdx", ["CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0"])
def test_licences_are_whole(spdx: str) -> None:
    text = known_licence(spdx).text
    assert len(text) > 6000 and "Creative Commons" in text
    assert ("NonCommercial" in text) == (spdx == "CC-BY-NC-4.0") and ("CC0 1.0" in text) == (spdx == "CC0-1.0")
    assert deposit_files({}, replace(DEPOSIT, licence=known_licence(spdx)), FACTS, [])["LICENSE"] == text.encode()


@pytest.fixture
def study() -> Study:
    return make_study(Shape(slices=6))


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(study: Study) -> str:
    return reverse("analytics:deposit", kwargs={"study": study.pk})


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["analyst", "coordinator"])
def test_the_package_is_made_recorded_and_recomputes(
    role: str, study: Study, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    Source.objects.update(licence="CC BY 3.0")
    exported.snapshot_of(study)
    user = add_member(study, role)
    answer = signed_in(user).post(address(study), FORM)
    assert answer.status_code == 200 and answer["Content-Disposition"].endswith('-deposit.zip"')
    assert answer["Cache-Control"] == "private, no-store"
    entry = Entry.objects.get(chain__name=study.chain, verb="snapshot.deposit")
    assert entry.actor == user.handle and entry.data["sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert "Carberry" not in json.dumps(entry.data)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert {"LICENSE", "CITATION.cff", "datacite.json", "README.md", "README.txt", "scores.csv"} <= set(files)
    assert b"CC BY 3.0" in files["README.md"] and b"CC0 1.0 Universal" in files["LICENSE"]
    made = json.loads(files["datacite.json"])
    assert [one["relatedIdentifier"] for one in made["relatedIdentifiers"]] == [
        "10.1234/ab", "https://example.org/NCT1", "10.5555/x", "10.5555/y",
    ]  # fmt: skip
    assert [one["subject"] for one in made["subjects"]] == ["CT", "MR"] and len(made["creators"]) == 1
    if role == "analyst":
        path = tmp_path / "deposit.zip"
        path.write_bytes(answer.content)
        assert recompute(path).difference is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": ""}, "This field is required"),
        ({"year": "20026"}, "less than or equal to"),
        ({"year": "x"}, "Enter a whole number"),
        ({"licence": "GPL"}, "not one of the available choices"),
        ({"licence": "own"}, "Terms of your own need a name and their text."),
        ({"paper": "Nature"}, "neither a DOI (10.…/…) nor a web address"),
        ({"further": "10.1/x\njavascript:alert(1)"}, "neither a DOI"),
        ({"creators-0-orcid": "0000-0002-1825-0098"}, "This is no ORCID iD"),
        ({"creators-0-family": ""}, "Write a family name"),
        ({"creators-0-given": ""}, "An ORCID iD belongs to a person"),
        ({"creators-TOTAL_FORMS": "0"}, "Name at least one person"),
        ({"creators-TOTAL_FORMS": "many"}, "Nothing was made yet"),
        ({"creators-TOTAL_FORMS": "999999"}, "Nothing was made yet"),
    ],
)
def test_mistakes_are_named_and_nothing_leaves(
    changes: dict[str, str], sentence: str, study: Study, exported: Exported
) -> None:
    exported.snapshot_of(study)
    answer = signed_in(add_member(study, "analyst")).post(address(study), FORM | changes)
    page = answer.content.decode()
    assert answer.status_code == 400 and sentence in page and "Nothing was made yet" in page
    assert not Entry.objects.filter(verb="snapshot.deposit").exists()


@pytest.mark.django_db
def test_own_terms_go_out_as_written(study: Study, exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    exported.snapshot_of(study)
    terms = {"licence": "own", "own_title": "Consortium agreement", "own_text": "Ask <us> first."}
    answer = signed_in(add_member(study, "analyst")).post(address(study), FORM | terms)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("LICENSE") == b"Ask <us> first.\n"
        assert json.loads(archive.read("datacite.json"))["rightsList"] == [{"rights": "Consortium agreement"}]


@pytest.mark.django_db
def test_the_form_knows_the_study_grows_and_remembers(
    study: Study, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    exported.snapshot_of(study)
    study.protocol["study"]["registration"] = "https://example.org/registered"
    study.save()
    client = signed_in(add_member(study, "analyst"))
    first = client.get(address(study)).content.decode()
    assert study.title in first and "https://example.org/registered" in first and "style=" not in first
    assert 'name="creators-0-family"' in first and 'name="creators-1-family"' not in first
    grown = client.post(address(study), {**FORM, "creators-TOTAL_FORMS": "1", "title": "", "add_creator": "1"})
    page = grown.content.decode()
    assert grown.status_code == 200 and 'name="creators-1-family"' in page and "Carberry" in page
    assert "This field is required" not in page and "autofocus" in page
    client.post(address(study), FORM)
    again = client.get(address(study)).content.decode()
    assert "Carberry" in again and JOSIAH in again and "Zenodo" in again
    # Another study begins anew.
    other = make_study(Shape(slices=2, readers=1))
    exported.snapshot_of(other)
    membership = study.memberships.get(role="analyst")
    other.memberships.create(user=membership.user, role="analyst")
    assert "Carberry" not in client.get(address(other)).content.decode()


@pytest.mark.django_db
def test_readers_and_strangers_learn_nothing_and_nobody_before_unblinding(study: Study, exported: Exported) -> None:
    exported.snapshot_of(study)
    membership = study.readers.all()[0].membership
    assert membership is not None
    for user in (membership.user, make_user("stranger"), add_member(make_study(Shape(slices=2)), "analyst")):
        client = signed_in(user)
        assert client.get(address(study)).status_code == client.post(address(study), FORM).status_code == 404
    assert Client().get(address(study)).status_code == 302
    analyst = signed_in(add_member(study, "analyst"))
    assert analyst.put(address(study)).status_code == 405
    study.state = "locked"
    study.save()
    assert analyst.get(address(study)).status_code == analyst.post(address(study), FORM).status_code == 404
