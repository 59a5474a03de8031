"""Of a mail that was printed from a plan only what is its own is stored from now on; the rest is stored once.

Messages stored before stay as they are, whole.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import portal.clock


class Migration(migrations.Migration):

    dependencies = [
        ("portal", "0001_initial"),
        ("reminders", "0010_lists_by_their_order"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Sheet",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("text", models.JSONField()),
                ("html", models.JSONField()),
                ("created_at", models.DateTimeField(default=portal.clock.now)),
            ],
            options={
                "verbose_name": "sheet",
                "verbose_name_plural": "sheets",
                "ordering": ("created_at", "id"),
            },
        ),
        migrations.RenameField("message", "text", "whole_text"),
        migrations.RenameField("message", "html", "whole_html"),
        migrations.AlterField("message", "whole_text", models.TextField(blank=True, verbose_name="text")),
        migrations.AlterField("message", "whole_html", models.TextField(blank=True)),
        migrations.AddField("message", "own", models.JSONField(default=dict)),
        migrations.AddField(
            "message",
            "sheet",
            models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reminders.sheet",
            ),
        ),
    ]
