"""Registers the reminders app with Django, and answers what the apps below it ask."""

from anymail.signals import tracking
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RemindersConfig(AppConfig):
    """The reminders app."""

    name = "reminders"
    verbose_name = _("Messages")

    def ready(self) -> None:
        """Listen to mail providers; say about which episodes something was sent; fill the table of worklists."""
        # Models are not loaded before this.
        import reminders.causes  # noqa: F401
        from patients.actions.taking_back import WAS_SENT
        from reminders.bounces import on_tracking
        from reminders.taking_back import sent_of

        WAS_SENT.append(sent_of)
        tracking.connect(on_tracking, dispatch_uid="reminders.bounces")
