"""Mixed models against R's ordinal::clmm, recorded, and the exactness of the gradient.

R 4.2.2, ordinal 2022.11-16, on the tables of ``tables.py`` written as long CSV, sa and ra being the
interactions: ``clmm(score ~ arm + (1|slice) + (1|reader) [+ (1|sa) + (1|ra)], Hess = TRUE,
control = clmm.control(gradTol = 1e-6))``; the second log-likelihood is that of ``score ~ 1``. To record again:
``python -m tests.statistics.oracles.tables FOLDER``, then ``Rscript tests/statistics/oracles/clmm.R FOLDER``; two runs
of R differ by up to 3e-5 in log odds.
"""

from __future__ import annotations

import numpy as np
import pytest

from readerstudy.statistics.agreement import codes_of
from readerstudy.statistics.clmm import Clmm, fit_clmm
from readerstudy.statistics.clmm_laplace import Laplace, Layout
from readerstudy.statistics.estimate import Estimate, Undefined
from tests.statistics.tables import CLMM_TABLES, scores

FORM = [1, 2, 3, 4, 5]
ARMS = ["arm0", "arm1", "arm2", "arm3"]
# log odds, standard errors, SD of slice, reader(, slice:arm, reader:arm), log-likelihood with, without arms
RECORDED: dict[tuple[str, bool], tuple[tuple[float, ...], ...]] = {
    ("good readers", False): (
        (3.03303668409, 4.12357901527, 5.66436652121),
        (0.245229463711, 0.268415161425, 0.308660510922),
        (1.458285929086, 0.588348501238),
        (-708.302692886, -982.018529475),
    ),
    ("good readers", True): (
        (3.23518861011, 4.42834189843, 6.11049203210),
        (0.407750862781, 0.428899764110, 0.470463757326),
        (1.548622966040, 0.598522716388, 0.640665534503, 0.441414349979),
        (-700.569487201, -725.135716894),
    ),
    ("ceiling", False): (
        (1.26364908390, 2.08247546150, 2.59849091358),
        (0.214308412268, 0.230149541310, 0.242070516252),
        (1.10469344490, 1.19255894253),
        (-638.789452818, -715.114398823),
    ),
    ("ceiling", True): (
        (1.38109545463, 2.21456896852, 2.82707981182),
        (0.462816816491, 0.472205114594, 0.485543339874),
        (1.177149473140, 1.227331700909, 0.546488445298, 0.608253209195),
        (-626.986262135, -637.228831804),
    ),
    ("poor readers, gaps", False): (
        (1.359612310023, 1.794204254347, 2.647627186222),
        (0.209128612437, 0.215807594493, 0.227851920195),
        (0.428245882000, 0.872992060992),
        (-836.705638869, -915.603390257),
    ),
    ("poor readers, gaps", True): (
        (1.399920975226, 1.868029722976, 2.757096329264),
        (0.355448242759, 0.360583790291, 0.371128502246),
        (0.418656557368, 0.873959759676, 0.372199975367, 0.429406794781),
        (-831.786688332, -844.505103931),
    ),
}


@pytest.mark.parametrize(("name", "crossed"), list(RECORDED), ids=str)
def test_equals_r(name: str, crossed: bool) -> None:
    log_odds, errors, spread, likelihoods = RECORDED[name, crossed]
    found = fit_clmm(CLMM_TABLES[name](), ARMS, FORM, crossed)
    assert isinstance(found, Clmm) and found.reference == "arm0"
    assert ("conditional on these readers" in found.label) == (not crossed)
    values = [estimate.value for estimate in found.log_odds.values() if isinstance(estimate, Estimate)]
    assert values == pytest.approx(log_odds, abs=1e-4)
    assert list(found.standard_errors.values()) == pytest.approx(errors, rel=0.01)
    ours = (found.sd_slice, found.sd_reader, found.sd_slice_arm, found.sd_reader_arm)[: len(spread)]
    assert ours == pytest.approx(spread, abs=1e-4)
    assert found.log_likelihood == pytest.approx(likelihoods[0], abs=1e-5)
    assert found.likelihood_ratio.chi2 == pytest.approx(2 * (likelihoods[0] - likelihoods[1]), abs=1e-3)


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_gradient_is_that_of_the_likelihood(crossed: bool, missing: float) -> None:
    codes = codes_of(scores(3, slices=12, missing=missing), FORM)
    model = Laplace(Layout(codes, 5, crossed, fixed_arms=True))
    parameters = np.concatenate([[-4.0, -2, 0, 2], [1, 1.5, 3], np.log([1.0, 0.5, 0.5, 0.3][: 4 if crossed else 2])])
    gradient = model.evaluate(parameters)[1]
    for place in range(len(parameters)):
        step = np.zeros_like(parameters)
        step[place] = 1e-5
        slope = (model.evaluate(parameters + step)[0] - model.evaluate(parameters - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-4)


def test_unused_category_and_absent_arm() -> None:
    cube = CLMM_TABLES["ceiling"]()
    with_gap = np.concatenate([cube, np.full_like(cube[:, :1], np.nan)], axis=1)
    found = fit_clmm(with_gap, [*ARMS, "empty"], FORM, crossed=False)
    assert isinstance(found, Clmm) and len(found.thresholds) == 3
    assert isinstance(found.log_odds["empty"], Undefined)


@pytest.mark.parametrize(
    ("cube", "reason"),
    [
        (np.full((6, 4, 3), 5.0), "one category"),
        (scores(1)[:, :1], "fewer than two arms"),
        (scores(1)[:1], "fewer than two slices"),
        (scores(1)[:, :, :1], "fewer than two readers"),
        (np.where(np.arange(4)[None, :, None] == 3, 5.0, np.minimum(scores(1), 4)), "outermost category"),
        (np.where(np.arange(4)[None, :, None] == 0, np.nan, scores(1)), "the first arm"),
    ],
)
def test_undefined(cube: np.ndarray, reason: str) -> None:
    found = fit_clmm(cube, ARMS[: cube.shape[1]], FORM, crossed=False)
    assert isinstance(found, Undefined) and reason in found.reason
