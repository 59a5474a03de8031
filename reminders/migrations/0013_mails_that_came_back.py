"""The worklists ask for mails that came back lately: few among very many."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reminders", "0012_fewer_indexes_of_messages"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("bounced_at__isnull", False)),
                fields=["bounced_at"],
                name="message_came_back",
            ),
        ),
    ]
