"""Revisions of marks, practice answers and the display check; marks get their guard back, guesses one of their own."""

import django.db.models.deletion
from django.db import migrations, models

from readerstudy.audit import triggers

TABLE = "reading_annotation"
EVERY = ("INSERT", "UPDATE", "DELETE")
GUESS = "reading_methodguess"
KEPT = ("UPDATE", "DELETE")
SIGNED = (
    "EXISTS (SELECT 1 FROM schedules_presentation p JOIN schedules_session s ON s.id = p.session_id "
    "WHERE p.id = ROW.presentation_id AND s.signed_at IS NOT NULL)"
)


def install(apps, editor):
    triggers.guard(editor, TABLE, f"{TABLE}_signed", "A signed session is immutable.", operations=EVERY, when=SIGNED)


def remove(apps, editor):
    triggers.drop(editor, TABLE, f"{TABLE}_signed", operations=EVERY)


def install_all(apps, editor):
    install(apps, editor)
    triggers.guard(editor, GUESS, f"{GUESS}_kept", "A guess is never changed.", operations=KEPT)


def remove_all(apps, editor):
    remove(apps, editor)
    triggers.drop(editor, GUESS, f"{GUESS}_kept", operations=KEPT)


class Migration(migrations.Migration):
    dependencies = [
        ("reading", "0002_signed_scores"),
        ("schedules", "0003_fidelity_practice_context"),
        ("studies", "0002_reference_beside"),
    ]
    operations = [
        migrations.RunPython(remove, install),
        migrations.AddField(
            model_name="annotation",
            name="revision",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AlterField(
            model_name="annotation",
            name="confidence",
            field=models.PositiveSmallIntegerField(help_text="1-5, in the fidelity pass only.", null=True),
        ),
        migrations.AlterField(
            model_name="annotation",
            name="consequence",
            field=models.CharField(
                blank=True,
                choices=[("none", "none"), ("could change the report", "could change the report")],
                help_text="Fidelity pass only.",
                max_length=40,
            ),
        ),
        migrations.AlterField(
            model_name="score",
            name="viewport",
            field=models.JSONField(
                default=dict,
                help_text="Window, zoom, pan and inversion at the score, and the time spent in each setting.",
            ),
        ),
        migrations.CreateModel(
            name="DisplayCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("targets", models.JSONField()),
                ("reported", models.JSONField(null=True)),
                ("passed", models.BooleanField(null=True)),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="display_checks",
                        to="schedules.session",
                    ),
                ),
            ],
            options={
                "ordering": ["session_id", "pk"],
            },
        ),
        migrations.CreateModel(
            name="PracticeAnswer",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                ("answers", models.JSONField()),
                ("answered_at", models.DateTimeField(auto_now_add=True)),
                (
                    "image",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="schedules.practiceimage",
                    ),
                ),
                (
                    "reader",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="practice_answers",
                        to="studies.reader",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("reader", "image"), name="reading_one_practice_answer")
                ],
            },
        ),
        migrations.RunPython(install_all, remove_all),
    ]
