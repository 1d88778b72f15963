"""State beside every SD map what a stored step of it means."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconstructions", "0004_peak_memory")]

    operations = [
        migrations.AddField(
            model_name="reconstruction",
            name="uncertainty_step",
            field=models.FloatField(help_text="Physical units of SD per stored step of the map.", null=True),
        ),
    ]
