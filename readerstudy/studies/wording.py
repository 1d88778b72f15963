"""The words of the protocol's form and its printed page: one label and one sentence of help per key.

A test keeps it complete: every field of every section stands here and in exactly one part of the form.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of the form and of the printed page, with the keys it shows (``arms`` and ``criteria``: the lists)."""

    key: str
    title: str
    lead: str
    names: tuple[str, ...]


PARTS = (
    Part("study", "Study and approval", "What the study is called, and who approved and registered it.", (
        "study.title", "study.approval_body", "study.approval_number", "study.registration",
    )),
    Part("slices", "Frame of slices", "Which slices are eligible, and how many of them are drawn at opening.", (
        "slices.number", "slices.stratify", "slices.one_per_patient", "slices.edge_slices",
        "slices.minimum_body_share", "slices.anatomy", "slices.sources", "slices.picked", "slices.left_out",
        "study.seed",
    )),
    Part("arms", "Arms", "What is compared: a method at a level per modality. Readers never see these names.", (
        "arms",
    )),
    Part("criteria", "Criteria", "What readers are asked about every image, with a text for every answer.", (
        "criteria",
    )),
    Part("display", "Display", "What readers see and may do in the reading room.", (
        "display.reference", "display.interpolation", "display.window", "display.zoom", "display.dark_interval_ms",
        "display.back", "display.context_slices", "display.pixel_statistics", "display.labels", "display.check",
    )),
    Part("sessions", "Sessions", "The sittings of a reader.", (
        "sessions.number", "sessions.minimum_days_apart", "sessions.break_after_minutes", "sessions.too_fast_ms",
    )),
    Part("design", "Design", "In which order images come, and what stands around them.", (
        "design.kind", "design.pairs_per_slice", "design.readers", "design.reserves", "design.repeats",
        "design.minimum_gap", "design.practice", "design.fidelity", "design.guess_images",
    )),
    Part("plan", "Analysis plan", "What will be computed, fixed before the first score.", (
        "plan.primary_criterion", "plan.hypothesis", "plan.comparator", "plan.margin", "plan.comparisons",
        "plan.correction", "plan.alpha", "plan.readers", "plan.missing", "plan.cannot_judge", "plan.stopping_rule",
        "plan.secondary",
    )),
    Part("consent", "Readers' consent and record", "What readers agree to, and what they are asked about themselves.", (
        "study.consent", "study.reader_record",
    )),
)  # fmt: skip

# Key: label, and the help that stands under the field.
WORDS: dict[str, tuple[str, str]] = {
    "study.title": ("Title", "Readers see it too: it must not tell what you expect."),
    "study.seed": ("Seed of the draw", "A whole number. It draws the slices and nothing else."),
    "study.approval_body": ("Approved by", "The ethics board."),
    "study.approval_number": ("Approval number", ""),
    "study.registration": ("Registration", "Registry and number, if the study is registered."),
    "study.consent": ("Consent text", "Readers agree to it before their first session; empty: they aren't asked."),
    "study.reader_record": ("Asked of readers", "A short record, reported per pseudonym."),
    "slices.number": ("Slices to draw", "2 to 2000."),
    "slices.stratify": ("Stratified by", "By modality: the number is shared as equally as can be."),
    "slices.one_per_patient": ("One slice per patient", "At most one slice of each patient is eligible."),
    "slices.edge_slices": ("First and last slices of a volume", "Whether these are eligible too."),
    "slices.minimum_body_share": ("Least share of body", "0 to 1: share of the field of view that shows the body."),
    "slices.anatomy": ("Anatomy", "One a line; empty: any."),
    "slices.sources": ("Sources of cases", "One a line; empty: any."),
    "slices.picked": ("Picked by hand", "Cases or slices (CT-0001/3), one a line; the report says so. Empty: by rule."),
    "slices.left_out": ("Cases left out by hand", "One a line, such as what a reader has seen; the report says so."),
    "arms.key": ("Key", "Short; stands in tables and exports."),
    "arms.title": ("Title", "Stands in figures."),
    "arms.method": ("Method", "Key of a registered or imported method."),
    "arms.levels": ("Level", "Empty: as acquired."),
    "arms.settings": ("Settings", "One a line, as in steps = 10; empty: the method's own."),
    "arms.role": ("Role", "Hidden reference and low anchor are scored like any arm."),
    "criteria.key": ("Key", "Short; stands in tables and exports."),
    "criteria.title": ("Title", ""),
    "criteria.question": ("Question", "As readers see it."),
    "criteria.texts": ("Text for each answer", ""),
    "display.reference": ("Reference", "Hidden: scored like an arm. Beside: shown next to every image."),
    "display.interpolation": ("Interpolation", ""),
    "display.window": ("Window", "Whether readers may change brightness and contrast."),
    "display.zoom": ("Zoom", "Whether readers may zoom and move."),
    "display.dark_interval_ms": ("Dark interval (ms)", "Between two images; 0 to 5000."),
    "display.back": ("Images back", "How many images a reader may go back to change a score."),
    "display.context_slices": ("Neighbouring slices", "On either side, by the mouse wheel; 0 to 10."),
    "display.pixel_statistics": ("Mean and SD of marked regions", "The SD tells smoothing methods: best left off."),
    "display.labels": ("Labels of marks", "One a line; empty: no marking."),
    "display.check": ("Display check", "Before every session."),
    "sessions.number": ("Sessions", "1 to 40."),
    "sessions.minimum_days_apart": ("Days apart", "At least, from one session to the next."),
    "sessions.break_after_minutes": ("Suggest a break after (minutes)", "0: never."),
    "sessions.too_fast_ms": ("Too fast (ms)", "A quicker score is flagged."),
    "design.kind": ("Order", "Balanced: as many rounds as arms, each slice once a round."),
    "design.pairs_per_slice": ("Pairs per slice", "Pairwise only; 0: all pairs."),
    "design.readers": ("Readers", ""),
    "design.reserves": ("Reserve orders", "Drawn at opening for readers who are replaced."),
    "design.repeats": ("Share repeated", "0 to 0.5, shown again in a later session."),
    "design.minimum_gap": ("Least gap", "Images between two showings of a slice."),
    "design.practice": ("Practice images", "Graded images of other patients before the first session."),
    "design.fidelity": ("Share compared with the reference", "0 to 1, after a session's scores are final."),
    "design.guess_images": ("Images of the method guess", "Per arm, after the last session; 0: none."),
    "plan.primary_criterion": ("Primary criterion", "Key of one of the criteria."),
    "plan.hypothesis": ("Hypothesis", ""),
    "plan.comparator": ("Comparator", "Key of the arm that the others are compared with; may be empty."),
    "plan.margin": ("Margin (points)", "For non-inferiority and equivalence."),
    "plan.comparisons": ("Comparisons in the family", ""),
    "plan.correction": ("Correction", ""),
    "plan.alpha": ("Level alpha", "Of the whole family."),
    "plan.readers": ("Readers are", "Random: results hold for readers like these. Fixed: for these only."),
    "plan.missing": ("Missing scores", ""),
    "plan.cannot_judge": ("\u201cCannot judge\u201d", ""),
    "plan.stopping_rule": ("Stopping rule", "Empty: none."),
    "plan.secondary": ("Secondary analyses", "One a line."),
}

# Words of the file that read better otherwise on a page.
CHOICES = {
    "none": "none", "MR": "MRI: acceleration", "CT": "CT: dose share", "US": "Ultrasound: SNR in dB",
    "blocked_by_modality": "blocked by modality", "reference": "hidden reference", "anchor": "low anchor",
    "cases_per_year": "cases per year", "years": "years of experience", "board": "board certification",
    "conflicts": "conflicts of interest", "asked": "asked, not required to pass", "required": "required to pass",
    "modality": "modality",
}  # fmt: skip


def word(value: str) -> str:
    return CHOICES.get(value, value)
