"""Check-ins go to no carer any more who may not see everything: what is planned for them is worked out again."""

from django.db import migrations
from django.utils import timezone


def plan_anew(apps, schema_editor):
    """Ask for new plans of the open episodes of patients with such a carer."""
    requests = apps.get_model("patients", "PlanRequest")
    episodes = apps.get_model("patients", "Episode").objects.filter(
        status__in=("planned", "active"),
        patient__related_people__scope="appointments",
        patient__related_people__ended_at__isnull=True,
    )
    requests.objects.bulk_create(
        requests(episode_id=key, reason="carer.scope", requested_at=timezone.now())
        for key in episodes.order_by().distinct().values_list("pk", flat=True)
    )


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0011_xrays_to_book_by_their_order"),
        ("reminders", "0014_fewer_entries_a_row"),
    ]

    operations = [migrations.RunPython(plan_anew, migrations.RunPython.noop)]
