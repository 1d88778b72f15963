"""State with every run how much memory it took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconstructions", "0003_stored_counts")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="peak_memory_mib",
            field=models.PositiveIntegerField(
                help_text="On a GPU the most that a batch's tensors took; on a CPU the most its process ever had.",
                null=True,
            ),
        ),
    ]
