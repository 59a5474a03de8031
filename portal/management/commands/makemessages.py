"""Bring the files of translations up to date with the code, without gettext's programs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal import translations


class Command(BaseCommand):
    """`manage.py makemessages`, in place of Django's own, which needs xgettext."""

    help = "Adds new texts to locale/*/LC_MESSAGES/django.po, drops those that are gone, and counts what to translate."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Look through the code once, then go through the languages."""
        found = translations.texts(settings.BASE_DIR)
        for locale in settings.LOCALE_PATHS:
            for file in translations.files(locale):
                missing = translations.bring_up_to_date(file, found)
                language = file.parent.parent.name
                self.stdout.write(f"{language}: {len(found)} texts, {len(missing)} to translate.")
