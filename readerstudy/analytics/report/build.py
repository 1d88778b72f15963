"""The report as one HTML file that needs nothing else: style and figures are inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from readerstudy.analytics import figures
from readerstudy.analytics.circumstances import circumstances, record_table
from readerstudy.analytics.filters import complete
from readerstudy.analytics.inputs import RESEARCH_USE, inputs_of
from readerstudy.analytics.models import ReviewLink, Snapshot
from readerstudy.analytics.report.answers import answers
from readerstudy.analytics.report.checklists import filled
from readerstudy.analytics.report.flow import case_flow, dates, sample
from readerstudy.analytics.report.methods import methods
from readerstudy.analytics.reviewing import anonymous, anonymous_protocol, anonymous_sample
from readerstudy.analytics.rows import designs, marks, metrics, people, scores
from readerstudy.studies.queries import protocol_of

STYLE = Path(settings.BASE_DIR) / "static" / "readerstudy" / "css" / "report.css"


def build_report(snapshot: Snapshot, review: ReviewLink | None = None) -> str:
    """The HTML of a snapshot's report; case flow and patients come from the database, all numbers from the snapshot.

    For a reviewer everything that tells whose study it is is left out.
    """
    return render_to_string("analytics/report.html", context(snapshot, review))


def context(snapshot: Snapshot, review: ReviewLink | None = None) -> dict[str, Any]:
    study = snapshot.study
    document = complete(json.loads(snapshot.statistics))
    inputs, protocol, patients = inputs_of(snapshot.statistics, snapshot.tables), protocol_of(study), sample(study)
    if review is not None:
        inputs = anonymous(inputs, review.title)
        protocol, patients = anonymous_protocol(protocol), anonymous_sample(patients)
    paragraphs, flow = methods(protocol), case_flow(study, inputs)
    return {
        "title": inputs.facts.title,
        "review": review,
        "study": study,
        "snapshot": snapshot,
        "document": document,
        "research_use": RESEARCH_USE,
        "style": mark_safe(STYLE.read_text()),
        "circumstances": circumstances(inputs.facts),
        "dates": dates(study) if review is None else [],
        "paragraphs": paragraphs,
        "flow": flow,
        "patients": patients,
        "records": record_table(inputs.records),
        "facts": scores.facts(document),
        "warnings": scores.warnings(document),
        "opinions": scores.opinions(document),
        "coefficients": ["Fleiss' kappa", *scores.COEFFICIENTS.values()],
        "agreements": scores.agreements(document),
        "comparisons": scores.comparisons(document),
        "secondary": scores.secondary(document),
        "metrics": metrics.metrics(document),
        "readers": people.readers(document),
        "paces": people.paces(document),
        "guesses": people.guesses(document),
        "rates": marks.rates(document),
        "ledger": marks.ledger(document),
        "pairs": designs.pairs(document),
        "ladders": designs.ladders(document),
        "figures": [
            (kind.title, kind.caption, _inline(name, snapshot.statistics))
            for name, kind in figures.FIGURES.items()
            if kind.applies(document)
        ],
        "checklists": filled(answers(protocol, document, inputs, paragraphs, flow, patients)),
    }


def _inline(name: str, statistics: str) -> SafeString:
    """A figure as SVG inside HTML, without the XML declaration."""
    svg = figures.rendered(name, statistics, "svg").decode()
    return mark_safe(svg[svg.index("<svg") :])
