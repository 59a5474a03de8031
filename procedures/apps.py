"""Registers the procedures app with Django."""

from django.apps import AppConfig


class ProceduresConfig(AppConfig):
    """The procedures app."""

    name = "procedures"
