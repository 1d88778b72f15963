"""The data dictionary of an export: what every file and column holds, in which unit."""

from __future__ import annotations

from collections.abc import Sequence

from readerstudy.analytics.circumstances import circumstances
from readerstudy.analytics.inputs import RESEARCH_USE, StudyFacts

FILES = {
    "study.json": "Facts of the study: protocol and plan with their hashes, arms, readers' pseudonyms, seed.",
    "scores.csv": "Scores on the primary criterion, one row per planned reading.",
    "scores_wide.csv": "The same scores, one column per reader.",
    "pairs.csv": "Choices of a pairwise study, one row per planned comparison and criterion.",
    "annotations.json": "The same marks with points as numbers, and how their coordinates are counted.",
    "annotations.csv": "Marks that readers drew on images, in image coordinates; deleted ones are left out.",
    "fidelity_images.csv": "Images that were shown again beside their reference, marked or not.",
    "guesses.csv": "What readers took images' arms for, after their last session.",
    "sessions.csv": "Sittings of each reader: how much was read, and on which display.",
    "readers.csv": "What readers said about themselves, by pseudonym; only what the protocol asks for.",
    "metrics.csv": "FID-Med of each compared arm over all its images.",
    "metrics_by_modality.csv": "FID-Med of each compared arm in each modality.",
    "metrics_images.csv": "PSNR, SSIM, NMSE, feature distance and latency of every image.",
    "tables.xlsx": "Every table as a sheet of one workbook, behind a sheet with this dictionary.",
    "analysis.R": "The headline numbers again in R, beside those of statistics.json: Rscript analysis.R",
    "imrmc_not_applicable.txt": "Why there is no table for iMRMC.",
    "statistics.json": "All statistics in full double precision.",
    "README.txt": "This text.",
    "CHECKSUMS.sha256": "SHA-256 of every file; check with: sha256sum -c CHECKSUMS.sha256",
}
COLUMNS = {
    "slice": "Pseudonym of a slice in this study, S001 onwards, in the order of drawing.",
    "arm": "Key of the arm (a method at a level).",
    "reader": "Pseudonym of the reader, R1 onwards.",
    "score": "Whole number of the scale; NA: the reader could not judge; empty: not read.",
    "cannot_judge": "Parquet only: true where the reader could not judge; score is then null, as where not read.",
    "patient": "Pseudonym of the patient, the unit of independence.",
    "modality": "CT, MR or US; empty in metrics.csv: all modalities together.",
    "session": "Number of the sitting, from 1.",
    "repeat": "0: first reading; 1: the same image again, only for a reader's agreement with themselves.",
    "criterion": "Key of the scored question.",
    "position": "Place in the session's order.",
    "seconds": "From the painted image to the score; empty where not recorded.",
    "left, right": "Keys of the arms shown left and right.",
    "choice": "left, equal or right; NA: the reader could not judge; empty: not read.",
    "phase": "scores: at the first reading; repeat: at the second; fidelity: beside the reference.",
    "label": "What the mark stands for, in the protocol's words.",
    "shape": "point, arrow, line, rectangle, ellipse or freehand.",
    "points": "JSON list of (x, y) in pixels; pixel (column c, row r) covers [c, c+1) x [r, r+1).",
    "frame_offset": "0: on the scored slice; else how many slices from it, negative towards the first.",
    "length_mm": "Length of a line or an arrow in mm; empty for other shapes or where no spacing is known.",
    "confidence": "1 (low) to 5 of a lost or invented structure; empty elsewhere.",
    "consequence": "Whether the lost or invented structure could change the report; empty elsewhere.",
    "comment": "The reader's words.",
    "done": "1 once the reader had finished the image, else 0.",
    "guessed": "Key of the arm that the reader named; empty: don't know.",
    "reason": "Why, in the reader's words.",
    "images, read": "Planned first readings and repeats of the sitting, and how many of them were scored.",
    "signed": "1 where the reader signed the sitting.",
    "too_fast": "Scores given faster than the protocol's limit.",
    "idle_s": "Seconds of pauses, which reading times leave out.",
    "display_check": "passed, flagged (failed twice, read nevertheless) or empty (not asked).",
    "screen, pixel_ratio": "Device pixels, width x height, and device pixels per CSS pixel; empty where unknown.",
    "ambient_light, remote_desktop": "As the reader said.",
    "state": "active: to the end; withdrawn or replaced: left the study, the scores stay.",
    "years": "Years of experience in reading such images; empty where not asked or not said.",
    "specialty, conflicts": "The reader's words.",
    "board": "Board certification: yes, no or in training.",
    "cases_per_year": "Such examinations read per year, as the reader estimates.",
    "fid_med": "Frechet distance of image features to those of the references, no unit.",
    "fid_med_low, fid_med_high": "95 % interval from a bootstrap of patients.",
    "kid": "Kernel distance of the same features, no unit.",
    "n, n_patients": "Images and patients behind the distance.",
    "marked": "Why the number of images is too small for the distance to mean much; empty where it is not.",
    "psnr": "Peak signal-to-noise ratio in dB; empty where the image equals its reference.",
    "ssim": "Structural similarity, at most 1.",
    "nmse": "Normalised mean squared error, a plain ratio (the paper prints 1e-3).",
    "feature_distance": "Euclidean distance of one image's features to its reference's.",
    "latency_ms": "Milliseconds per image on the stated device.",
    "device": "Where the image was computed.",
    "pixels, weights": "SHA-256 of the image's stored bytes and of the network's weights.",
    "simulated": "1 where the reader (or any reader of the study) is a program and not a person, else 0.",
}
FREE_TEXT = (
    "CSV holds what readers wrote, exactly: text that begins with = + - or @ is text, which some spreadsheet programs\n"
    "would run as a formula. Open tables.xlsx there, in which no text can become one."
)
IMRMC = (
    "not applicable: no truth\n\n"
    "iMRMC compares readers' ratings with a known truth of each case; the cases of this study carry no truth label,\n"
    "for readers judged images and not disease.\n"
)
RECOMPUTE = (
    "All numbers of statistics.json follow from these tables, without a database:\n"
    "  python -m readerstudy.analytics recompute EXPORT.zip\n"
    "Closed forms and resampling agree to 10 significant digits, fitted mixed models to 5."
)


def readme(facts: StudyFacts, names: Sequence[str], chain_head: str) -> str:
    """The text of README.txt for the files that are in this export."""
    simulated = "SIMULATED READERS: the scores were made by a program, not by people.\n" if facts.simulated else ""
    said = circumstances(facts)
    described = [(name, describe(name, facts)) for name in names]
    parts = [
        f"{facts.title}\nStudy {facts.study}\n{RESEARCH_USE}.\n{simulated}",
        *(["READ BEFORE THE NUMBERS\n" + "".join(f"  {sentence}\n" for sentence in said)] if said else []),
        f"Protocol (SHA-256)        {facts.protocol_hash}\nAnalysis plan (SHA-256)   {facts.plan_hash}\n"
        f"Head of the audit chain   {chain_head}\n",
        "FILES\n" + "".join(f"  {name}\n      {text}\n" for name, text in described),
        "COLUMNS\n" + "".join(f"  {name}\n      {text}\n" for name, text in COLUMNS.items()),
        f"FREE TEXT\n{FREE_TEXT}\n",
        f"ARMS\n{_arms(facts)}",
        f"RECOMPUTING\n{RECOMPUTE}\n",
    ]
    return "\n".join(parts)


def origin(facts: StudyFacts, chain_head: str) -> list[tuple[str, str]]:
    """What a file that travels alone says about itself."""
    marked = [("Simulated readers", "The scores were made by a program, not by people.")] if facts.simulated else []
    return [
        ("Study", facts.study),
        ("Use", f"{RESEARCH_USE}."),
        *marked,
        ("Protocol (SHA-256)", facts.protocol_hash),
        ("Analysis plan (SHA-256)", facts.plan_hash),
        ("Head of the audit chain", chain_head),
    ]


def describe(name: str, facts: StudyFacts) -> str:
    if name in FILES:
        return FILES[name]
    if name.startswith("parquet/"):
        table = name.removeprefix("parquet/").removesuffix(".parquet")
        return f"{table}.csv with typed columns."
    if name.startswith("figures/"):
        return "A figure of the results page."
    criterion = name.removeprefix("scores_").removesuffix(".csv")
    return f"Scores on the secondary criterion '{facts.criteria.get(criterion, criterion)}'."


def _arms(facts: StudyFacts) -> str:
    return "".join(
        f"  {arm.key}\n      {arm.title}: method {arm.method}, {arm.role}"
        f"{''.join(f', {modality} {level:g}' for modality, level in sorted(arm.levels.items()))}\n"
        for arm in facts.arms
    )
