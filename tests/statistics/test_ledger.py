"""The hallucination ledger: counts by hand, intervals against jackknives, and tables that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from readerstudy.statistics.estimate import Estimate, Undefined, as_json
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.ledger import Ledger, Shown, StructureMarks, ledger
from tests.statistics.tables import uniforms

ARMS = ["tv", "unet", "never shown"]


def shown(slices: int, readers: int, arms: int = 2) -> Shown:
    index = np.indices((arms, slices, readers)).reshape(3, -1)
    return Shown(index[0], index[1], index[2])


def marks(*rows: tuple[int, bool, bool, float]) -> StructureMarks:
    """Rows of image, invented, could change the report, confidence."""
    image, invented, grave, confidence = (np.array(column) for column in zip(*rows, strict=True))
    return StructureMarks(image.astype(np.int64), invented.astype(bool), grave.astype(bool), confidence.astype(float))


def none() -> StructureMarks:
    return StructureMarks(*(np.array([], dtype=kind) for kind in (np.int64, np.bool_, np.bool_, np.float64)))


def units(n: int) -> Clusters:
    return Clusters.of_units(n, "slices")


def random_ledger(slices: int = 40, readers: int = 5, drop: int | None = None) -> Ledger:
    """A ledger in which the second arm invents twice as often; ``drop`` leaves one slice out."""
    draw, rows, everything = uniforms(9), [], shown(slices, readers)
    kept = np.ones(len(everything.arms), dtype=bool) if drop is None else everything.slices != drop
    place = np.cumsum(kept) - 1
    for image, (arm, slice_) in enumerate(zip(everything.arms, everything.slices, strict=True)):
        chances = (0.15 * (1 + arm) * (0.4 + slice_ % 3), 0.1)
        for invented, chance in ((True, chances[0]), (False, chances[1])):
            hit, grave, confidence = draw() < chance, draw() < 0.3, 1 + int(5 * draw())
            if hit and kept[image]:
                rows.append((int(place[image]), invented, grave, float(confidence)))
    table = Shown(*(each[kept] for each in (everything.arms, everything.slices, everything.readers)))
    return ledger(table, marks(*rows), ARMS, units(slices))


def test_counts_by_hand() -> None:
    """3 slices x 2 readers x 2 arms; images of the first arm are rows 0-5, of the second 6-11."""
    found = ledger(
        shown(3, 2),
        marks(
            (0, False, True, 4),
            (0, False, False, 2),
            (1, False, False, np.nan),
            (4, True, False, 5),
            (7, True, True, 3),
        ),
        ARMS,
        units(3),
    )
    tv, unet = found.arms["tv"], found.arms["unet"]
    assert (tv.images, tv.n_slices, tv.n_readers) == (6, 3, 2)
    assert (tv.lost.marks, tv.lost.images, tv.lost.report_marks, tv.lost.report_images) == (3, 2, 1, 1)
    assert (tv.invented.marks, tv.either.marks, tv.either.images) == (1, 4, 3)
    assert (tv.lost.confirmed, tv.lost.shown_to_several, tv.invented.confirmed) == (1, 3, 0)
    assert isinstance(tv.lost.image_share, Estimate) and tv.lost.image_share.value == pytest.approx(1 / 3)
    assert isinstance(tv.lost.marks_per_image, Estimate) and tv.lost.marks_per_image.value == 0.5
    assert isinstance(tv.lost.mean_confidence, Estimate) and tv.lost.mean_confidence.value == 3
    assert isinstance(unet.invented.report_share, Estimate) and unet.invented.report_share.value == pytest.approx(1 / 6)
    contrasts = {contrast.kind: contrast for contrast in found.contrasts}
    assert list(contrasts) == ["lost", "invented", "either"]
    assert isinstance(contrasts["lost"].rate_ratio, Undefined)
    assert isinstance(contrasts["lost"].share_difference, Estimate)
    assert contrasts["lost"].share_difference.value == pytest.approx(-1 / 3)
    assert isinstance(contrasts["invented"].rate_ratio, Estimate) and contrasts["invented"].rate_ratio.value == 1
    assert isinstance(contrasts["either"].rate_ratio, Estimate) and contrasts["either"].rate_ratio.value == 0.25
    as_json(found)


def test_an_arm_that_was_not_shown() -> None:
    found = ledger(shown(3, 2), none(), ARMS, units(3))
    absent = found.arms["never shown"].either
    assert isinstance(absent.image_share, Undefined) and "was shown" in absent.image_share.reason
    assert {contrast.arms for contrast in found.contrasts} == {("tv", "unet")}


def test_no_mark_is_a_share_of_zero_with_an_upper_bound_from_the_slices() -> None:
    found = ledger(shown(30, 4), none(), ARMS, units(30)).arms["tv"].lost
    share = found.image_share
    assert isinstance(share, Estimate) and share.value == 0 and share.ci_low == 0
    assert share.ci_high == pytest.approx(stats.norm.ppf(0.975) ** 2 / (30 + stats.norm.ppf(0.975) ** 2))
    assert "n = 30 slices" in share.method
    assert isinstance(found.marks_per_image, Estimate) and found.marks_per_image.ci_high is None
    assert isinstance(found.mean_confidence, Undefined)


def test_interval_of_a_difference_is_not_narrower_than_the_jackknife_over_slices() -> None:
    full = random_ledger()
    left_out = [random_ledger(drop=s).contrasts[1].share_difference for s in range(40)]
    values = np.array([each.value for each in left_out if isinstance(each, Estimate)])
    error = np.sqrt(39 / 40 * ((values - values.mean()) ** 2).sum())
    found = full.contrasts[1].share_difference
    assert isinstance(found, Estimate) and found.ci_high is not None
    assert (found.ci_high - found.value) / stats.t.ppf(0.975, 4) >= error * 0.999


def test_marks_that_readers_share_widen_the_share() -> None:
    """The same number of marked images, spread over slices or all on the same ones."""
    table, spread = shown(40, 5, arms=1), units(40)
    scattered = marks(*((5 * s + s % 5, True, False, 3) for s in range(40)))
    together = marks(*((5 * s + r, True, False, 3) for s in range(8) for r in range(5)))
    widths = []
    for given in (scattered, together):
        share = ledger(table, given, ["a"], spread).arms["a"].invented.image_share
        assert isinstance(share, Estimate) and share.value == pytest.approx(0.2)
        assert share.ci_low is not None and share.ci_high is not None and 0 < share.ci_low < 0.2 < share.ci_high < 1
        widths.append(share.ci_high - share.ci_low)
    assert widths[1] > 1.5 * widths[0]


def test_few_patients_and_one_reader_give_no_interval() -> None:
    given = marks((0, True, True, 5))
    few = ledger(shown(10, 3), given, ARMS, Clusters(np.arange(10) % 4, 4, "patients", 6)).arms["tv"].invented
    alone = ledger(shown(10, 1), given, ARMS, units(10)).arms["tv"].invented
    for found, reason in ((few, "patients: 4"), (alone, "one reader")):
        assert isinstance(found.image_share, Estimate) and found.image_share.ci_low is None
        assert reason in found.image_share.method


def test_order_of_rows_does_not_matter() -> None:
    table = shown(12, 4)
    given = marks(*((int(37 * k % 96), k % 2 == 0, k % 3 == 0, float(1 + k % 5)) for k in range(25)))
    order = np.argsort(np.arange(96) * 41 % 96)
    turned = Shown(table.arms[order], table.slices[order], table.readers[order])
    moved = StructureMarks(np.argsort(order)[given.image], given.invented, given.changes_report, given.confidence)
    first, second = (ledger(*pair, ARMS, units(12)) for pair in ((table, given), (turned, moved)))
    for arm in ("tv", "unet"):
        one, two = first.arms[arm].either, second.arms[arm].either
        assert (one.marks, one.images, one.confirmed) == (two.marks, two.images, two.confirmed)
        assert isinstance(one.image_share, Estimate) and isinstance(two.image_share, Estimate)
        assert one.image_share.ci_high == pytest.approx(two.image_share.ci_high, abs=1e-12)


def test_a_mark_on_an_image_that_was_not_shown() -> None:
    with pytest.raises(ValueError, match="was not shown"):
        ledger(shown(2, 2), marks((8, True, True, 5)), ARMS, units(2))
