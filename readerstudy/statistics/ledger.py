"""The hallucination ledger: structures that an arm lost or invented, as readers saw them beside the reference.

One row per image shown in the fidelity pass, one row per mark. An image without a mark counts as zero, so a
share is of all images shown. Intervals are clustered by slice (or patient) and reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import BoolArray, Estimate, FloatArray, IntArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters, two_way, two_way_share

NOT_SHOWN = "no image of this arm was shown beside its reference"
KINDS = ("lost", "invented", "either")


@dataclass(frozen=True, eq=False)
class Shown:
    """Images shown beside their reference, one row each: indices of arm, slice and reader (images,)."""

    arms: IntArray
    slices: IntArray
    readers: IntArray


@dataclass(frozen=True, eq=False)
class StructureMarks:
    """One row per mark: its row in :class:`Shown`, whether the structure is invented (else lost), whether it
    could change the report, and the reader's confidence 1-5 (NaN where none was given)."""

    image: IntArray
    invented: BoolArray
    changes_report: BoolArray
    confidence: FloatArray


@dataclass(frozen=True)
class Findings:
    """Marks of one kind in the images of one arm.

    ``image_share``: images with one or more, of those shown; ``report_share``: images with one or more that
    could change the report; ``confirmed``: slices that two readers or more marked, of ``shown_to_several``.
    """

    marks: int
    marks_per_image: Result
    images: int
    image_share: Result
    report_marks: int
    report_images: int
    report_share: Result
    mean_confidence: Result
    confirmed: int
    shown_to_several: int


@dataclass(frozen=True)
class ArmLedger:
    """One arm: what was shown, and its lost, its invented, and all its false structures."""

    images: int
    n_slices: int
    n_readers: int
    lost: Findings
    invented: Findings
    either: Findings


@dataclass(frozen=True)
class LedgerContrast:
    """Two arms, the later against the earlier, for one kind of structure.

    ``share_difference`` is of the shares of images with one or more, ``rate_ratio`` of marks per image.
    """

    arms: tuple[str, str]
    kind: str
    share_difference: Result
    share_ratio: Result
    rate_ratio: Result


@dataclass(frozen=True)
class Ledger:
    """Every arm, and every pair of arms that were shown."""

    arms: dict[str, ArmLedger]
    contrasts: tuple[LedgerContrast, ...]


def ledger(shown: Shown, marks: StructureMarks, arms: Sequence[str], clusters: Clusters) -> Ledger:
    """The ledger of all arms; ``clusters`` groups the slices (slices,), by patient where patients are known.

    Raises ValueError for a mark on an image that was not shown.
    """
    if len(marks.image) and not (marks.image.min() >= 0 and marks.image.max() < len(shown.arms)):
        raise ValueError("A mark belongs to an image that was not shown; give every image of the pass a row.")
    kinds = (~marks.invented, marks.invented, np.ones(len(marks.image), dtype=np.bool_))
    entries = {arm: _of_arm(shown, marks, shown.arms == place, kinds, clusters) for place, arm in enumerate(arms)}
    present = [place for place, arm in enumerate(arms) if entries[arm].images]
    contrasts = tuple(
        _contrast((arms[a], arms[b]), kind, (shown.arms == a, shown.arms == b), (shown, marks, own), clusters)
        for i, a in enumerate(present)
        for b in present[i + 1 :]
        for kind, own in zip(KINDS, kinds, strict=True)
    )
    return Ledger(entries, contrasts)


def _per_image(shown: Shown, marks: StructureMarks, own: BoolArray) -> FloatArray:
    """Number of the marks ``own`` (marks,) on each image shown (images,)."""
    return np.bincount(marks.image[own], minlength=len(shown.arms)).astype(np.float64)


def _of_arm(
    shown: Shown, marks: StructureMarks, rows: BoolArray, kinds: Sequence[BoolArray], clusters: Clusters
) -> ArmLedger:
    lost, invented, either = (_findings(shown, marks, rows, own, clusters) for own in kinds)
    return ArmLedger(
        images=int(rows.sum()),
        n_slices=len(np.unique(shown.slices[rows])),
        n_readers=len(np.unique(shown.readers[rows])),
        lost=lost,
        invented=invented,
        either=either,
    )


def _findings(shown: Shown, marks: StructureMarks, rows: BoolArray, own: BoolArray, clusters: Clusters) -> Findings:
    if not rows.any():
        gap = Undefined(NOT_SHOWN)
        return Findings(0, gap, 0, gap, 0, 0, gap, gap, 0, 0)
    counts = _per_image(shown, marks, own)[rows]
    grave = _per_image(shown, marks, own & marks.changes_report)[rows]
    slices, readers = shown.slices[rows], shown.readers[rows]
    groups, n_readers = clusters.of_rows(slices), int(shown.readers.max()) + 1
    confirmed, several = _confirmed(slices, readers, counts > 0)
    return Findings(
        marks=int(counts.sum()),
        marks_per_image=_rate(counts, groups, readers, n_readers),
        images=int((counts > 0).sum()),
        image_share=two_way_share(counts > 0, groups, readers, n_readers),
        report_marks=int(grave.sum()),
        report_images=int((grave > 0).sum()),
        report_share=two_way_share(grave > 0, groups, readers, n_readers),
        mean_confidence=_confidence(shown, marks, own & rows[marks.image], clusters),
        confirmed=confirmed,
        shown_to_several=several,
    )


def _rate(counts: FloatArray, groups: Clusters, readers: IntArray, n_readers: int) -> Result:
    rate = float(counts.mean())
    if rate == 0:
        return Estimate(rate, None, None, "interval undefined: no mark, see the interval of the share of images")
    found = two_way(rate, (counts - rate) / len(counts), groups, readers, n_readers, "marks per image")
    low = found.ci_low if found.ci_low is None else max(0.0, found.ci_low)
    return Estimate(rate, low, found.ci_high, found.method)


def _confidence(shown: Shown, marks: StructureMarks, own: BoolArray, clusters: Clusters) -> Result:
    """Mean confidence of the marks ``own`` that state one, clustered like the images they lie on."""
    stated = own & np.isfinite(marks.confidence)
    values, images = marks.confidence[stated], marks.image[stated]
    if not len(values):
        return Undefined("no mark states a confidence")
    mean = float(values.mean())
    groups, readers = clusters.of_rows(shown.slices[images]), shown.readers[images]
    influence = (values - mean) / len(values)
    return two_way(mean, influence, groups, readers, int(shown.readers.max()) + 1, "mean of marks")


def _confirmed(slices: IntArray, readers: IntArray, marked: BoolArray) -> tuple[int, int]:
    """Slices marked by two readers or more, and slices shown to two or more."""
    counts = []
    for own in (marked, np.ones(len(marked), dtype=np.bool_)):
        pairs = np.unique(np.stack([slices[own], readers[own]]), axis=1)
        counts.append(int((np.unique(pairs[0], return_counts=True)[1] >= 2).sum()))
    return counts[0], counts[1]


def _contrast(
    arms: tuple[str, str],
    kind: str,
    rows: tuple[BoolArray, BoolArray],
    table: tuple[Shown, StructureMarks, BoolArray],
    clusters: Clusters,
) -> LedgerContrast:
    shown, marks, own = table
    counts = _per_image(shown, marks, own)
    hits = (counts > 0).astype(np.float64)
    groups = clusters.of_rows(np.concatenate([shown.slices[each] for each in rows]))
    readers = np.concatenate([shown.readers[each] for each in rows])

    def compared(values: FloatArray, ratio: bool) -> Result:
        return _compared((values[rows[0]], values[rows[1]]), groups, readers, ratio)

    return LedgerContrast(arms, kind, compared(hits, False), compared(hits, True), compared(counts, True))


def _compared(values: tuple[FloatArray, FloatArray], groups: Clusters, readers: IntArray, ratio: bool) -> Result:
    """Difference (or ratio, on the log scale) of the means of the second and the first values (rows,)."""
    means = [float(each.mean()) for each in values]
    if max(means) == 0 and not ratio:
        return Estimate(0.0, None, None, "interval undefined: neither arm has such a structure")
    if ratio and min(means) == 0:
        return Undefined("one of the two arms has no such structure, so that the ratio is zero or infinite")
    influence = np.concatenate(
        [
            sign * (each - mean) / (len(each) * (mean if ratio else 1.0))
            for sign, each, mean in zip((-1, 1), values, means, strict=True)
        ]
    )
    n_readers = int(readers.max()) + 1
    if not ratio:
        return two_way(means[1] - means[0], influence, groups, readers, n_readers, "difference of shares")
    found = two_way(math.log(means[1] / means[0]), influence, groups, readers, n_readers, "log ratio")
    low, high = (None if bound is None else math.exp(bound) for bound in (found.ci_low, found.ci_high))
    return Estimate(means[1] / means[0], low, high, found.method)
