"""Registers the patients app with Django."""

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    """The patients app."""

    name = "patients"
