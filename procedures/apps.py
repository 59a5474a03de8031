"""Registers the procedures app with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProceduresConfig(AppConfig):
    """The procedures app."""

    name = "procedures"
    verbose_name = _("Catalogue")
