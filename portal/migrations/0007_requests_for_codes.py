from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0006_requests_for_passwords"),
    ]

    operations = [
        migrations.AddField(
            model_name="invitationrequest",
            name="code",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AlterField(
            model_name="invitationrequest",
            name="wish",
            field=models.CharField(
                choices=[
                    ("invitation", "Invitation"),
                    ("password", "Password"),
                    ("code", "Code"),
                ],
                default="invitation",
                max_length=10,
            ),
        ),
    ]
