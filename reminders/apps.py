"""Registers the reminders app with Django."""

from django.apps import AppConfig


class RemindersConfig(AppConfig):
    """The reminders app."""

    name = "reminders"
