"""A study's export made ready for a repository: with licence, citation and DataCite metadata beside it.

Pure functions on what the analyst filled in. Whatever the licences of the sources allow, no pixels go in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readerstudy.analytics.inputs import RESEARCH_USE, StudyFacts

TEXTS = Path(__file__).with_name("licences")
ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
DOI = re.compile(r"10\.\d{4,9}/\S+")
SCHEMA = "http://datacite.org/schema/kernel-4"
SIMULATED = "SIMULATED READERS: the scores were made by a program, not by people."


@dataclass(frozen=True)
class Licence:
    """Terms of the deposited data; ``spdx`` and ``url`` are empty for terms of one's own."""

    spdx: str
    title: str
    url: str
    text: str


@dataclass(frozen=True)
class Creator:
    """A person, or an organisation where there is no given name; ``orcid`` as 0000-0000-0000-0000 or empty."""

    family: str
    given: str = ""
    orcid: str = ""
    affiliation: str = ""

    @property
    def name(self) -> str:
        return f"{self.family}, {self.given}" if self.given else self.family


@dataclass(frozen=True)
class Related:
    """A DOI (``10....``) or an address, and how the deposited data relate to it, in DataCite's words."""

    relation: str
    identifier: str

    @property
    def kind(self) -> str:
        return "DOI" if DOI.fullmatch(self.identifier) else "URL"

    @property
    def url(self) -> str:
        return f"https://doi.org/{self.identifier}" if self.kind == "DOI" else self.identifier


@dataclass(frozen=True)
class Deposit:
    """What the analyst says about the data."""

    title: str
    description: str
    creators: tuple[Creator, ...]
    publisher: str
    year: int
    keywords: tuple[str, ...]
    licence: Licence
    related: tuple[Related, ...] = ()


@dataclass(frozen=True)
class SourceTerms:
    """Under which terms the images of one source may be used; they are not part of the deposit."""

    name: str
    licence: str


LICENCES = {
    "CC0-1.0": ("CC0 1.0 Universal: public domain", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution-NonCommercial 4.0",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
}


def known_licence(spdx: str) -> Licence:
    title, url = LICENCES[spdx]
    return Licence(spdx, title, url, (TEXTS / f"{spdx}.txt").read_text(encoding="utf-8"))


def is_orcid(text: str) -> bool:
    """Shape and check digit (ISO 7064, MOD 11-2)."""
    if not ORCID.fullmatch(text):
        return False
    total = 0
    digits = text.replace("-", "")
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return digits[-1] == "0123456789X"[(12 - total % 11) % 11]


def deposit_files(
    export: Mapping[str, bytes], deposit: Deposit, facts: StudyFacts, sources: Sequence[SourceTerms]
) -> dict[str, bytes]:
    """The files of an export and the four that a repository asks for."""
    texts = {
        "LICENSE": deposit.licence.text,
        "CITATION.cff": citation(deposit),
        "datacite.json": json.dumps(datacite(deposit), indent=1, ensure_ascii=False) + "\n",
        "README.md": readme(deposit, facts, sources),
    }
    return {**export, **{name: text.encode() for name, text in texts.items()}}


def citation(deposit: Deposit) -> str:
    """``CITATION.cff`` in version 1.2.0 of the Citation File Format."""
    licence = deposit.licence
    terms = [f"license: {licence.spdx}", f"license-url: {_yaml(licence.url)}"] if licence.spdx else []
    lines = [
        "cff-version: 1.2.0",
        "type: dataset",
        'message: "If you use these data, please cite them as below."',
        f"title: {_yaml(deposit.title)}",
        f"abstract: {_yaml(deposit.description)}",
        *_authors(deposit.creators, ""),
        *(["keywords:", *(f"  - {_yaml(word)}" for word in deposit.keywords)] if deposit.keywords else []),
        *terms,
        "preferred-citation:",
        "  type: data",
        f"  title: {_yaml(deposit.title)}",
        *_authors(deposit.creators, "  "),
        f"  year: {deposit.year}",
        "  publisher:",
        f"    name: {_yaml(deposit.publisher)}",
    ]
    return "\n".join(lines) + "\n"


def datacite(deposit: Deposit) -> dict[str, Any]:
    """DataCite 4.5 metadata in its JSON form; the repository adds the DOI."""
    licence = deposit.licence
    rights = {"rights": licence.title}
    if licence.spdx:
        rights |= {
            "rightsUri": licence.url,
            "rightsIdentifier": licence.spdx.lower(),
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    return {
        "creators": [_datacite_creator(creator) for creator in deposit.creators],
        "titles": [{"title": deposit.title}],
        "publisher": {"name": deposit.publisher},
        "publicationYear": str(deposit.year),
        "types": {"resourceType": "Reader study", "resourceTypeGeneral": "Dataset"},
        "subjects": [{"subject": word} for word in deposit.keywords],
        "descriptions": [{"description": deposit.description, "descriptionType": "Abstract"}],
        "rightsList": [rights],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": one.identifier,
                "relatedIdentifierType": one.kind,
                "relationType": one.relation,
            }
            for one in deposit.related
        ],
        "language": "en",
        "formats": ["application/zip"],
        "schemaVersion": SCHEMA,
    }


def readme(deposit: Deposit, facts: StudyFacts, sources: Sequence[SourceTerms]) -> str:
    """What stands on the repository's page: whose data, under which terms, and how to compute with them."""
    names = "; ".join(creator.name for creator in deposit.creators)
    terms = "".join(f"| {_cell(one.name)} | {_cell(one.licence or 'not stated')} |\n" for one in sources)
    related = "".join(f"- {one.relation}: <{one.url}>\n" for one in deposit.related)
    parts = [
        f"# {deposit.title}\n",
        f"**{RESEARCH_USE}.**\n" + (f"\n**{SIMULATED}**\n" if facts.simulated else ""),
        f"{deposit.description}\n",
        f"Cite as: {names} ({deposit.year}). {deposit.title}. {deposit.publisher}.\n",
        "## Terms\n",
        f"The files of this deposit: {deposit.licence.title}; the text is in `LICENSE`.\n",
        "It holds tables, statistics and figures, and no pixels of any image. The images that were read stay under the "
        "terms of their sources, which have to be asked for them:\n",
        f"| Source | Licence |\n|---|---|\n{terms}" if sources else "No source of images is known.\n",
        "## What is here\n",
        "`README.txt` explains every file and column. `CHECKSUMS.sha256` holds the SHA-256 of every file "
        "(`sha256sum -c CHECKSUMS.sha256`). The statistics follow from the tables; with the software that made them:\n",
        "    python -m readerstudy.analytics recompute THIS.zip\n",
        "`Rscript analysis.R` computes the headline numbers again with R.\n" if not facts.pairwise else "",
        f"## Related\n\n{related}" if related else "",
        f"Study {facts.study}; protocol {facts.protocol_hash}; analysis plan {facts.plan_hash} (SHA-256).\n",
    ]
    return "\n".join(part for part in parts if part)


def _authors(creators: Sequence[Creator], indent: str) -> list[str]:
    lines = [f"{indent}authors:"]
    for creator in creators:
        facts = {"family-names": creator.family, "given-names": creator.given} if creator.given else {}
        facts = facts or {"name": creator.family}
        if creator.orcid:
            facts["orcid"] = f"https://orcid.org/{creator.orcid}"
        if creator.affiliation and creator.given:
            facts["affiliation"] = creator.affiliation
        first, *rest = (f"{key}: {_yaml(value)}" for key, value in facts.items())
        lines += [f"{indent}  - {first}", *(f"{indent}    {line}" for line in rest)]
    return lines


def _datacite_creator(creator: Creator) -> dict[str, Any]:
    made: dict[str, Any] = {"name": creator.name, "nameType": "Personal" if creator.given else "Organizational"}
    if creator.given:
        made |= {"givenName": creator.given, "familyName": creator.family}
    if creator.affiliation:
        made["affiliation"] = [{"name": creator.affiliation}]
    if creator.orcid:
        made["nameIdentifiers"] = [
            {
                "nameIdentifier": f"https://orcid.org/{creator.orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    return made


def _yaml(text: str) -> str:
    """A double-quoted scalar: JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
