"""One column for every table that numbers are computed from, instead of one for scores and one for metrics."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def gather_tables(apps: Any, schema_editor: Any) -> None:
    for snapshot in apps.get_model("analytics", "Snapshot").objects.iterator():
        sets, _, images = snapshot.metrics_csv.partition("\n\n")
        snapshot.tables = {"scores": snapshot.scores_csv, "sets": sets + "\n", "images": images}
        snapshot.save(update_fields=["tables"])


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="tables",
            field=models.JSONField(default=dict, help_text="Every table that was computed from, as CSV by its name."),
        ),
        migrations.RunPython(gather_tables, migrations.RunPython.noop),
        migrations.RemoveField(model_name="snapshot", name="scores_csv"),
        migrations.RemoveField(model_name="snapshot", name="metrics_csv"),
    ]
