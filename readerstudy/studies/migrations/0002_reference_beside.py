"""A study may show the reference beside its arms; practice slices have a table of their own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconstructions", "0002_feature_network"), ("studies", "0001_initial")]
    operations = [
        migrations.RemoveField("studyslice", "part"),
        migrations.AlterField(
            "studyimage",
            "arm",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="images", to="studies.arm"
            ),
        ),
        migrations.AddConstraint(
            "studyimage",
            models.UniqueConstraint(
                fields=["study_slice"], condition=models.Q(arm__isnull=True), name="studies_one_reference_beside"
            ),
        ),
    ]
