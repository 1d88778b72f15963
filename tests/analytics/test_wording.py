"""Numbers on the page: rounded, never NaN, never "-0.00", and "undefined" always with its reason."""

from __future__ import annotations

from readerstudy.analytics.wording import estimate, number, p_value, with_spread


def test_estimates_have_their_interval_or_a_reason() -> None:
    printed = estimate({"value": 0.12345, "ci_low": -0.001, "ci_high": 0.2, "method": "t"})
    assert (printed.value, printed.interval, printed.reason) == ("0.12", "0.00 to 0.20", "")
    bare = estimate({"value": 0.5, "ci_low": None, "ci_high": None, "method": "one slice"}, 1, 100)
    assert (bare.value, bare.interval, bare.reason) == ("50.0", "", "one slice")
    gone = estimate({"value": None, "undefined": "all scores are equal"})
    assert (gone.value, gone.reason) == ("undefined", "all scores are equal")


def test_numbers_and_p_values() -> None:
    assert number(-0.001).value == "0.00" and number(-0.5).value == "-0.50" and number(3, 0).value == "3"
    assert number({"value": None, "undefined": "why"}).reason == "why" and number(None).value == "undefined"
    assert p_value(0.0004).value == "< 0.001" and p_value(0.05).value == "0.050" and p_value(1.0).value == "1.000"
    assert p_value({"value": None, "undefined": "why"}).reason == "why"


def test_spread_over_patients_is_marked_where_there_are_few() -> None:
    data = {"value": 0.0061, "sd": 0.0008, "marked": "fewer than 5 patients"}
    printed = with_spread(data, 1, 1000)
    assert (printed.value, printed.reason) == ("6.1 ± 0.8", "fewer than 5 patients")
    alone = with_spread({"value": 30.0, "sd": {"value": None, "undefined": "one patient"}, "marked": ""}, 1)
    assert alone.value == "30.0"
