"""The database refuses to change or delete an entry."""

from django.db import migrations

from readerstudy.audit import triggers

GUARD = ("audit_entry", "audit_append_only")
OPERATIONS = ("UPDATE", "DELETE")


def install(apps, editor):
    triggers.guard(editor, *GUARD, "The audit is append-only.", operations=OPERATIONS)


def remove(apps, editor):
    triggers.drop(editor, *GUARD, operations=OPERATIONS)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
