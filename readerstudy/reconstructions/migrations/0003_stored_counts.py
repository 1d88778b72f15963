"""Store with every run how many slices of its case have no finished image and how many failed."""

from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce


def count(apps, editor):
    """The counts of the runs that exist already."""
    run, reconstruction = (apps.get_model("reconstructions", name) for name in ("Run", "Reconstruction"))
    rows = reconstruction.objects.filter(run=OuterRef("pk"))
    slices = apps.get_model("cases", "Slice").objects.filter(case__measurements=OuterRef("measurement"))
    run.objects.update(
        missing=_number(slices, "case__measurements") - _number(rows.exclude(pixels=""), "run"),
        failed=_number(rows.filter(pixels=""), "run"),
    )


def _number(rows, group):
    return Coalesce(Subquery(rows.order_by().values(group).annotate(n=Count("pk")).values("n")), 0)


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0001_initial"),
        ("reconstructions", "0002_feature_network"),
    ]
    operations = [
        migrations.AddField(
            model_name="run",
            name="failed",
            field=models.PositiveIntegerField(default=0, help_text="Slices among the missing that failed."),
        ),
        migrations.AddField(
            model_name="run",
            name="missing",
            field=models.PositiveIntegerField(default=0, help_text="Slices of the case without a finished image."),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["-created_at", "id"], name="reconstructions_newest"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["missing", "-created_at", "id"], name="reconstructions_missing"),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
