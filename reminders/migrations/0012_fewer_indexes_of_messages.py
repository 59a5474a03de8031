"""An index of several columns serves for its first as well, and one of Message-IDs is enough."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("reminders", "0011_messages_on_sheets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            "message",
            "clinic",
            models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="portal.clinic",
            ),
        ),
        migrations.AlterField(
            "message",
            "recipient",
            models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="messages",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField("message", "message_id", models.CharField(max_length=200)),
        migrations.AddConstraint(
            "message", models.UniqueConstraint(fields=("message_id",), name="message_id_once"),
        ),
    ]
