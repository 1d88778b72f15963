"""Encrypt the secrets of second factors that stand in clear."""

from django.db import migrations

from readerstudy.accounts.sealing import seal, unseal

SECRETS = {"totp": ("secret",), "recovery_codes": ("seed",)}


def _rewritten(change):
    def run(apps, editor):
        for row in apps.get_model("mfa", "Authenticator").objects.filter(type__in=SECRETS):
            held = {name: change(row.data[name]) for name in SECRETS[row.type] if row.data.get(name)}
            if "migrated_codes" in row.data:
                held["migrated_codes"] = [change(code) for code in row.data["migrated_codes"]]
            row.data = {**row.data, **held}
            row.save(update_fields=["data"])

    return run


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_people"), ("mfa", "0003_authenticator_type_uniq")]

    operations = [migrations.RunPython(_rewritten(seal), _rewritten(unseal))]
