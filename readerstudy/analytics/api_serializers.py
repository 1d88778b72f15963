"""What the API's answers hold; the rows of tables have the columns and the words of the export's data dictionary."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from readerstudy.analytics.dictionary import COLUMNS
from readerstudy.analytics.lines import ImageLine, MarkLine, PairLine, ScoreLine
from readerstudy.analytics.models import Snapshot
from readerstudy.studies.models import Arm, Criterion, Study

MEANINGS = {name: text for names, text in COLUMNS.items() for name in names.split(", ")}
FIELDS: dict[Any, type[serializers.Field[Any, Any, Any, Any]]] = {
    str: serializers.CharField, int: serializers.IntegerField, float: serializers.FloatField,
}  # fmt: skip


def of_lines(kind: type, name: str, text: str) -> type[serializers.Serializer[Any]]:
    """A serializer with the columns of a table."""
    declared: dict[str, Any] = {"__doc__": text, "__module__": __name__}
    for column, hint in get_type_hints(kind).items():
        optional = isinstance(hint, types.UnionType)
        base = get_args(hint)[0] if optional else hint
        words: dict[str, Any] = {"help_text": MEANINGS[column], "allow_null": optional}
        if base is str:
            words["allow_blank"] = True
        declared[column] = FIELDS[base](**words)
    return type(name, (serializers.Serializer,), declared)


ScoreRow = of_lines(ScoreLine, "ScoreRow", "One planned reading of an image.")
PairRow = of_lines(PairLine, "PairRow", "One planned comparison of a pairwise study.")
ImageRow = of_lines(ImageLine, "ImageRow", "One reconstruction against its reference.")
MarkRow = of_lines(MarkLine, "MarkRow", "One mark that a reader drew.")


# The parts of a statistics document, for the schema; what is in them is the analyst's page's to say.
DOCUMENT = {
    "study": "Facts that the numbers depend on: arms, readers, criteria, plan, hashes, seed.",
    "simulated": "Whether any reader is a program and not a person.",
    "code_version": "Version of the code that computed.",
    "categories": "The scale of the primary criterion.",
    "arms": "Agreement and opinion by arm.",
    "pooled": "The same over all arms together, where every slice of an arm is a unit.",
    "comparisons": "Every pair of arms, the later minus the earlier.",
    "plan_comparisons": "The comparisons that the analysis plan names, corrected as it says.",
    "omnibus": "Friedman's test and the mixed models.",
    "readers": "Bias of every reader and correlation with the others.",
    "intra_reader": "Agreement of every reader with themselves at repeats.",
    "modalities": "Agreement and opinion by modality.",
    "secondary": "Agreement and opinion on the further criteria.",
    "correlation": "Mean scores against FID-Med.",
    "latency": "Analysis of variance of latency between arms.",
    "metrics": "Image metrics by arm.",
    "slice_metrics": "Metrics of single slices against scores.",
    "pairs": "What was judged in a pairwise study.",
    "annotations": "Rates of marks.",
    "fidelity": "Lost and invented structures.",
    "blinding": "What readers took arms for.",
}
STATISTICS = {
    "type": "object",
    "properties": {name: {"description": text} for name, text in DOCUMENT.items()},
    "required": ["study", "simulated", "arms", "pooled", "comparisons"],
}


class StudySerializer(serializers.ModelSerializer[Study]):
    """What a list of studies shows; arms and scores come from the results only."""

    simulated = serializers.BooleanField(read_only=True, help_text="Whether any reader is a program and not a person.")

    class Meta:
        model = Study
        fields: Sequence[str] = (
            "id", "title", "state", "simulated", "protocol_hash", "plan_hash", "opened_at", "unblinded_at",
        )  # fmt: skip
        read_only_fields = fields


class ArmSerializer(serializers.ModelSerializer[Arm]):
    levels = serializers.DictField(child=serializers.FloatField(), help_text="Level by modality; empty: as acquired.")

    class Meta:
        model = Arm
        fields = ("key", "title", "method", "role", "levels")
        read_only_fields = fields


class CriterionSerializer(serializers.ModelSerializer[Criterion]):
    class Meta:
        model = Criterion
        fields = ("key", "title", "question")
        read_only_fields = fields


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    """The frozen numbers that the other addresses give out."""

    class Meta:
        model = Snapshot
        fields = ("id", "made_at", "inputs_hash", "chain_head")
        read_only_fields = fields


class StudyFactsSerializer(StudySerializer):
    """Facts, hashes and states of one study; ``arms`` and ``snapshot`` are null before unblinding."""

    slices = serializers.SerializerMethodField(help_text="How many slices were drawn.")
    readers = serializers.SerializerMethodField(help_text="Pseudonyms of the readers.")
    criteria = CriterionSerializer(many=True, read_only=True)
    arms = serializers.SerializerMethodField()
    snapshot = serializers.SerializerMethodField()

    class Meta(StudySerializer.Meta):
        fields = (
            *StudySerializer.Meta.fields, "paused", "created_at", "closed_at", "locked_at", "slices", "readers",
            "criteria", "arms", "snapshot",
        )  # fmt: skip
        read_only_fields = fields

    def get_slices(self, study: Study) -> int:
        return study.slices.count()

    def get_readers(self, study: Study) -> list[str]:
        return [reader.pseudonym for reader in study.readers.all()]

    @extend_schema_field(ArmSerializer(many=True, allow_null=True))
    def get_arms(self, study: Study) -> list[dict[str, Any]] | None:
        arms: QuerySet[Arm] = study.arms.all()
        return list(ArmSerializer(arms, many=True).data) if study.state == Study.State.UNBLINDED else None

    @extend_schema_field(SnapshotSerializer(allow_null=True))
    def get_snapshot(self, study: Study) -> dict[str, Any] | None:
        if study.state != Study.State.UNBLINDED:
            return None
        made = study.snapshots.order_by("-made_at").defer("statistics", "tables").first()
        return dict(SnapshotSerializer(made).data) if made else None
