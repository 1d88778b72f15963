"""Agreement and opinion of one set of units: the BLOCK of the contract of ``analyse``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import (
    BootstrapEstimate,
    agreement_weights,
    codes_of,
    count_table,
    fleiss_kappa,
    fleiss_per_category,
    fleiss_with_bootstrap,
    gwet_ac,
    percent_agreement,
)
from readerstudy.statistics.alpha import krippendorff_alphas
from readerstudy.statistics.estimate import BoolArray, Estimate, FloatArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.opinion import Opinion, opinion
from readerstudy.statistics.pairwise import conger_kappa, pairwise_weighted_kappa
from readerstudy.statistics.reliability import intraclass_correlations, kendall_w

MOST_AGREE = 0.6
PARTED = 0.2


@dataclass(frozen=True)
class Agreement:
    """All coefficients of agreement of one block; ``fleiss_kappa_clustered`` respects its clusters."""

    percent_agreement: Result
    fleiss_kappa: BootstrapEstimate | Undefined
    fleiss_kappa_clustered: Result
    fleiss_kappa_per_category: dict[str, Result]
    conger_kappa: Result
    krippendorff_alpha_nominal: Result
    krippendorff_alpha_ordinal: Result
    krippendorff_alpha_interval: Result
    gwet_ac1: Result
    gwet_ac2_linear: Result
    gwet_ac2_quadratic: Result
    kendall_w: Result
    icc_2_1: Result
    icc_2_k: Result
    pairwise_weighted_kappa_linear: dict[str, Result]
    pairwise_weighted_kappa_quadratic: dict[str, Result]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Agreement and opinion of the units of one arm, or of all arms pooled, where ``label`` says so."""

    label: str
    n_slices: int
    n_readers: int
    n_scores: int
    agreement: Agreement
    opinion: Opinion


def block(
    scores: FloatArray,
    cannot_judge: BoolArray,
    readers: Sequence[str],
    categories: Sequence[int],
    clusters: Clusters,
    seed: int,
    draws: int,
    label: str = "",
) -> Block:
    """The block of scores (units, readers; NaN missing), ``clusters`` grouping the dependent units."""
    given = np.isfinite(scores)
    return Block(
        label=label,
        n_slices=int(given.any(axis=1).sum()),
        n_readers=int(given.any(axis=0).sum()),
        n_scores=int(given.sum()),
        agreement=agreement(scores, readers, categories, clusters, seed, draws),
        opinion=opinion(scores, cannot_judge, categories, clusters),
    )


def agreement(
    scores: FloatArray,
    readers: Sequence[str],
    categories: Sequence[int],
    clusters: Clusters,
    seed: int,
    draws: int,
) -> Agreement:
    """Agreement of scores (units, readers; NaN missing) over the categories of the form."""
    seen = np.asarray(np.isfinite(scores).any(axis=1))
    scores, clusters = scores[seen], clusters.take(seen)
    q = len(categories)
    codes = codes_of(scores, categories)
    counts = count_table(codes, q)
    units = Clusters.of_units(len(scores))
    kappa = fleiss_with_bootstrap(counts, units, seed, draws)
    percent = percent_agreement(counts, clusters)
    alphas = krippendorff_alphas(counts, categories, clusters, seed, draws)
    icc = intraclass_correlations(scores)
    ac1 = gwet_ac(counts, agreement_weights(categories, 0), clusters)
    return Agreement(
        percent_agreement=percent,
        fleiss_kappa=kappa,
        fleiss_kappa_clustered=fleiss_kappa(counts, clusters),
        fleiss_kappa_per_category=fleiss_per_category(counts, categories, clusters),
        conger_kappa=conger_kappa(codes, q, clusters),
        krippendorff_alpha_nominal=alphas.nominal,
        krippendorff_alpha_ordinal=alphas.ordinal,
        krippendorff_alpha_interval=alphas.interval,
        gwet_ac1=ac1,
        gwet_ac2_linear=gwet_ac(counts, agreement_weights(categories, 1), clusters),
        gwet_ac2_quadratic=gwet_ac(counts, agreement_weights(categories, 2), clusters),
        kendall_w=kendall_w(scores, clusters),
        icc_2_1=icc.single,
        icc_2_k=icc.average,
        pairwise_weighted_kappa_linear=pairwise_weighted_kappa(codes, readers, categories, 1, clusters),
        pairwise_weighted_kappa_quadratic=pairwise_weighted_kappa(codes, readers, categories, 2, clusters),
        warnings=prevalence_warnings(counts, categories, percent, kappa, ac1),
    )


def prevalence_warnings(
    counts: FloatArray, categories: Sequence[int], percent: Result, kappa: Result, ac1: Result
) -> tuple[str, ...]:
    """Where kappa and agreement part: most pairs agree, and kappa lies .2 below AC1 or is undefined."""
    if not isinstance(percent, Estimate) or not isinstance(ac1, Estimate):
        return ()
    # Rounded first, so that the last bits, which depend on the order of the readers, decide nothing.
    agreeing, ac1_value = round(percent.value, 9), round(ac1.value, 9)
    parted, shown = True, "undefined"
    if isinstance(kappa, Estimate):
        low = round(kappa.value, 9)
        parted, shown = round(ac1_value - low, 9) >= PARTED, f"low ({low:.2f})"
    if not parted or agreeing < MOST_AGREE:
        return ()
    used = counts.sum(axis=0) / counts.sum()
    top = int(used.argmax())
    return (
        f"Kappa is {shown} although {agreeing:.0%} of the pairs of scores agree (AC1 {ac1_value:.2f}): "
        f"{used[top]:.0%} of the scores are {categories[top]}. Read percent agreement and AC1 beside kappa.",
    )
