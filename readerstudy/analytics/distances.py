"""FID-Med of each arm's images against their references, from the features stored with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.metrics.frechet import MINIMUM_PATIENTS, fid_med
from readerstudy.analytics.inputs import StudyFacts
from readerstudy.analytics.lines import SetLine
from readerstudy.cases import store
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.studies.models import Study, StudyImage

NO_FEATURES = "no features of the images and their references are stored"
MIXED = "the features come from different FID-Med networks: request the runs again"


@dataclass(frozen=True)
class FeaturePair:
    """Features of one image and of its reference, both float32 (n_features,)."""

    arm: str
    modality: str
    patient: str
    image: npt.NDArray[np.float32]
    reference: npt.NDArray[np.float32]
    networks: frozenset[str]


def set_lines(study: Study, facts: StudyFacts) -> list[SetLine]:
    """One line per compared arm, then one per arm and modality, each with equal n per arm."""
    pairs = feature_pairs(study)
    compared = [arm.key for arm in facts.compared()]
    modalities = [m for m in ("CT", "MR", "US") if any(pair.modality == m for pair in pairs)]
    simulated = int(facts.simulated)
    lines = [_line(arm, "", [p for p in pairs if p.arm == arm], simulated) for arm in compared]
    for modality in modalities:
        for arm in compared:
            chosen = [p for p in pairs if (p.arm, p.modality) == (arm, modality)]
            lines.append(_line(arm, modality, chosen, simulated))
    return lines


def feature_pairs(study: Study) -> list[FeaturePair]:
    """Every image of a main slice whose own and whose reference's features are stored."""
    references = _reference_features(study)
    return list(_pairs(study, references))


def _pairs(study: Study, references: dict[int, tuple[str, str]]) -> Iterator[FeaturePair]:
    images = (
        StudyImage.objects.filter(arm__study=study)
        .exclude(reconstruction__features="")
        .select_related("arm", "study_slice__slice__case__patient", "reconstruction")
        .order_by("arm__position", "study_slice__position")
    )
    for image in images:
        reference = references.get(image.study_slice.slice_id)
        if reference and image.arm:
            features, network = reference
            case = image.study_slice.slice.case
            yield FeaturePair(
                image.arm.key, case.modality, case.patient.pseudonym,
                _features(image.reconstruction.features), _features(features),
                frozenset({image.reconstruction.feature_network, network}),
            )  # fmt: skip


def _reference_features(study: Study) -> dict[int, tuple[str, str]]:
    """Slice to the hashes of its reference's features and of their network; the first run where several are alike."""
    rows = (
        Reconstruction.objects.filter(run__method="reference", slice__in=study.slices.values("slice"))
        .exclude(features="")
        .order_by("-pk")
    )
    return {row.slice_id: (row.features, row.feature_network) for row in rows}


def _features(sha256: str) -> npt.NDArray[np.float32]:
    return np.frombuffer(store.get(sha256), dtype="<f4")


def _line(arm: str, modality: str, pairs: Sequence[FeaturePair], simulated: int) -> SetLine:
    patients = [pair.patient for pair in pairs]
    n_patients = len(set(patients))
    if len(pairs) < 2:
        reason = NO_FEATURES if not pairs else "one image has no distribution"
        return SetLine(arm, modality, None, None, None, None, len(pairs), n_patients, reason, simulated)
    if len(frozenset().union(*(pair.networks for pair in pairs))) > 1:
        return SetLine(arm, modality, None, None, None, None, len(pairs), n_patients, MIXED, simulated)
    references, images = (np.stack(rows) for rows in zip(*((p.reference, p.image) for p in pairs), strict=True))
    made = fid_med(references, images, patients, allow_small=True)  # the page shows the mark
    low, high = (made.ci_low, made.ci_high) if n_patients >= MINIMUM_PATIENTS else (None, None)
    return SetLine(
        arm, modality, _number(made.value), _number(low), _number(high), _number(made.kid), made.n,
        made.n_patients, made.marked, simulated,
    )  # fmt: skip


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
