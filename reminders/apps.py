"""Registers the reminders app with Django, and listens to what mail providers report."""

from anymail.signals import tracking
from django.apps import AppConfig


class RemindersConfig(AppConfig):
    """The reminders app."""

    name = "reminders"

    def ready(self) -> None:
        """Listen to the webhooks of mail providers."""
        from reminders.bounces import on_tracking  # its models are not loaded before this

        tracking.connect(on_tracking, dispatch_uid="reminders.bounces")
