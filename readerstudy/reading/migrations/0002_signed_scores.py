"""The database refuses to add, change or delete scores and marks of a signed session; answers never change."""

from django.db import migrations

from readerstudy.audit import triggers

SIGNED = (
    "EXISTS (SELECT 1 FROM schedules_presentation p JOIN schedules_session s ON s.id = p.session_id "
    "WHERE p.id = ROW.presentation_id AND s.signed_at IS NOT NULL)"
)
TABLES = ("reading_score", "reading_annotation")
EVERY = ("INSERT", "UPDATE", "DELETE")
KEPT = ("UPDATE", "DELETE")


def install(apps, editor):
    for table in TABLES:
        triggers.guard(
            editor, table, f"{table}_signed", "A signed session is immutable.", operations=EVERY, when=SIGNED
        )
    triggers.guard(editor, "reading_answer", "reading_answer_kept", "An answer is never changed.", operations=KEPT)


def remove(apps, editor):
    for table in TABLES:
        triggers.drop(editor, table, f"{table}_signed", operations=EVERY)
    triggers.drop(editor, "reading_answer", "reading_answer_kept", operations=KEPT)


class Migration(migrations.Migration):
    dependencies = [("reading", "0001_initial"), ("schedules", "0002_frozen_orders")]
    operations = [migrations.RunPython(install, remove)]
