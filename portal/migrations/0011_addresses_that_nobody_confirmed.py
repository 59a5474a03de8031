from django.db import migrations


def forget(apps, schema_editor):
    """Addresses that were added at one end alone; each of them was a way to sign in."""
    apps.get_model("account", "EmailAddress").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0010_opening_hours_by_the_clock"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
