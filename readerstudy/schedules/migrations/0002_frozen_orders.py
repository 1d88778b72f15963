"""The database refuses to change an order after it was drawn, or a session after it was signed."""

from django.db import migrations

from readerstudy.audit import triggers

FROZEN = ("schedules_presentation", "schedules_pane", "schedules_frame")
OPERATIONS = ("UPDATE", "DELETE")
SIGNED = ("schedules_session", "schedules_session_signed")


def install(apps, editor):
    for table in FROZEN:
        triggers.guard(editor, table, f"{table}_frozen", "An order is never changed.", operations=OPERATIONS)
    triggers.guard(
        editor, *SIGNED, "A signed session is immutable.", operations=OPERATIONS, when="ROW.signed_at IS NOT NULL"
    )


def remove(apps, editor):
    for table in FROZEN:
        triggers.drop(editor, table, f"{table}_frozen", operations=OPERATIONS)
    triggers.drop(editor, *SIGNED, operations=OPERATIONS)


class Migration(migrations.Migration):
    dependencies = [("schedules", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
