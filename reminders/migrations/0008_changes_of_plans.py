import uuid

import django.db.models.deletion
from django.db import migrations, models

import portal.clock


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0009_carers_access"),
        ("reminders", "0007_visit_cancelled"),
    ]

    operations = [
        migrations.CreateModel(
            name="PlanChange",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=portal.clock.now, editable=False)),
                ("news", models.JSONField(default=dict)),
                (
                    "episode",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="plan_changes",
                        to="patients.episode",
                    ),
                ),
            ],
            options={
                "verbose_name": "change of a plan",
                "verbose_name_plural": "changes of plans",
                "ordering": ("-created_at", "id"),
                "indexes": [
                    models.Index(
                        fields=["episode", "-created_at"], name="plan_change_by_episode"
                    )
                ],
            },
        ),
    ]
