"""Compile the translations for Django, without gettext's programs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal import translations


class Command(BaseCommand):
    """`manage.py compilemessages`, in place of Django's own, which needs msgfmt."""

    help = "Makes locale/*/LC_MESSAGES/django.mo where it is missing or older than django.po."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Compile what is not up to date."""
        for locale in settings.LOCALE_PATHS:
            for file in translations.compile_stale(locale):
                self.stdout.write(f"Compiled {file.relative_to(locale)}.")
