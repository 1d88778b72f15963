"""What the analysis reads from the database, and only once a study is unblinded: the facts and every table."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from readerstudy.analytics.distances import set_lines
from readerstudy.analytics.inputs import ArmFacts, Inputs, StudyFacts
from readerstudy.analytics.lines import ImageLine
from readerstudy.analytics.queries import require_unblinded
from readerstudy.analytics.readings import is_pairwise, primary_criterion, readings, slice_name
from readerstudy.audit.models import Entry
from readerstudy.reconstructions.queries import looks_before
from readerstudy.studies.blinding import drawn_cases
from readerstudy.studies.models import Reader, Study, StudyImage
from readerstudy.studies.queries import chosen_by_hand

SEED = 0
DRAWS = 2000


def gather(study: Study) -> Inputs:
    """Every table and the facts of an unblinded study; reads the features of every image from the store."""
    require_unblinded(study)
    facts = study_facts(study)
    return Inputs(facts, sets=tuple(set_lines(study, facts)), images=tuple(image_rows(study)), **readings(study))


def study_images(study: Study) -> QuerySet[StudyImage]:
    """What the arms show of the main slices, in the order of arms and slices."""
    return (
        StudyImage.objects.filter(arm__study=study)
        .select_related("arm", "study_slice__slice__case__patient", "reconstruction__run")
        .order_by("arm__position", "study_slice__position")
    )


def image_rows(study: Study) -> list[ImageLine]:
    """PSNR, SSIM, NMSE, feature distance and latency of every image of the study."""
    require_unblinded(study)
    simulated = int(is_simulated(study))
    lines = []
    for image in study_images(study):
        made, case = image.reconstruction, image.study_slice.slice.case
        assert image.arm is not None
        lines.append(
            ImageLine(
                arm=image.arm.key,
                modality=case.modality,
                patient=case.patient.pseudonym,
                slice=slice_name(image.study_slice),
                psnr=made.psnr,
                ssim=made.ssim,
                nmse=made.nmse,
                feature_distance=made.feature_distance,
                latency_ms=made.latency_ms,
                device=made.run.device,
                pixels=image.pixels,
                weights=made.run.weights_hash,
                simulated=simulated,
            )
        )
    return lines


def is_simulated(study: Study) -> bool:
    return study.readers.filter(simulated=True).exists()


def study_facts(study: Study) -> StudyFacts:
    """Protocol, plan, arms and readers as the computation needs them."""
    criteria = {criterion.key: criterion.title for criterion in study.criteria.all()}
    texts = primary_criterion(study).texts
    return StudyFacts(
        study=str(study.pk),
        title=study.title,
        protocol_hash=study.protocol_hash,
        plan_hash=study.plan_hash,
        plan=study.plan,
        criteria=criteria,
        categories=[] if is_pairwise(study) else sorted(int(category) for category in texts),
        arms=_arm_facts(study),
        readers=[reader.pseudonym for reader in study.readers.all()],
        seed=SEED,
        draws=DRAWS,
        simulated=is_simulated(study),
        pairwise=is_pairwise(study),
        labels=list(study.protocol.get("display", {}).get("labels", [])),
        extends={"title": study.extends.title, "study": str(study.extends_id)} if study.extends else {},
        chosen=_chosen(study),
        looks=_looks(study),
        left=[reader.pseudonym for reader in study.readers.all() if reader.state != Reader.State.ACTIVE],
    )


def _chosen(study: Study) -> list[str]:
    rules = study.protocol.get("slices", {})
    return chosen_by_hand(rules.get("picked", []), rules.get("left_out", []))


def _looks(study: Study) -> dict[str, int]:
    """People and cases as opening counted them; what an older opening did not count is counted from the looks."""
    if study.opened_at is None:
        return {}
    entry = Entry.objects.filter(chain__name=study.chain, verb="study.open").first()
    cases = list(drawn_cases(study))
    counted = entry.data.get("looks") if entry else None
    if counted is None:
        looks = looks_before(cases, study.opened_at)
        counted = {"people": len({look.handle for look in looks}), "cases": len({look.case for look in looks})}
    return {**counted, "of": len(cases)}


def _arm_facts(study: Study) -> list[ArmFacts]:
    runs: dict[str, dict[str, set[Any]]] = {}
    for image in study_images(study):
        assert image.arm is not None
        run, kept = image.reconstruction.run, runs.setdefault(image.arm.key, {})
        for name in ("version", "device", "precision", "sampler", "network_calls"):
            kept.setdefault(name, set()).add(getattr(run, name))
    return [
        ArmFacts(
            key=arm.key,
            title=arm.title,
            method=arm.method,
            role=arm.role,
            levels=arm.levels,
            runs={name: sorted(values) for name, values in runs.get(arm.key, {}).items()},
        )
        for arm in study.arms.all()
    ]
