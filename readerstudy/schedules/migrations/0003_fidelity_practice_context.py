"""Neighbouring slices, the reference beside, the fidelity pass and practice images.

SQLite makes a changed table anew and loses its triggers, so they are taken off before and put back after.
"""

import django.db.models.deletion
from django.db import migrations, models

from readerstudy.audit import triggers

FROZEN = ("schedules_presentation", "schedules_pane", "schedules_frame")
PRACTICE = "schedules_practiceimage"
OPERATIONS = ("UPDATE", "DELETE")
SENTENCE = "An order is never changed."


def install(apps, editor, tables=FROZEN):
    for table in tables:
        triggers.guard(editor, table, f"{table}_frozen", SENTENCE, operations=OPERATIONS)


def remove(apps, editor, tables=FROZEN):
    for table in tables:
        triggers.drop(editor, table, f"{table}_frozen", operations=OPERATIONS)


def install_all(apps, editor):
    install(apps, editor, (*FROZEN, PRACTICE))


def remove_all(apps, editor):
    remove(apps, editor, (*FROZEN, PRACTICE))


class Migration(migrations.Migration):
    dependencies = [
        ("cases", "0001_initial"),
        ("schedules", "0002_frozen_orders"),
        ("studies", "0002_reference_beside"),
    ]
    operations = [
        migrations.RunPython(remove, install),
        migrations.AddField(
            model_name="frame",
            name="offset",
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="session",
            name="scores_final_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="pane",
            name="arm",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="panes", to="studies.arm"
            ),
        ),
        migrations.AlterField(
            model_name="presentation",
            name="kind",
            field=models.CharField(
                choices=[("main", "main"), ("repeat", "repeat"), ("fidelity", "fidelity pass")],
                default="main",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="PracticeImage",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("position", models.PositiveSmallIntegerField()),
                ("grade", models.PositiveSmallIntegerField(help_text="1 (worst) to 5, the slice as it is.")),
                ("pixels", models.CharField(max_length=64)),
                (
                    "slice",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cases.slice"),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="practice_images", to="studies.study"
                    ),
                ),
            ],
            options={
                "ordering": ["study_id", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("study", "position"), name="schedules_practice_position")
                ],
            },
        ),
        migrations.RunPython(install_all, remove_all),
    ]
