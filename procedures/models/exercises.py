"""The library of exercises that physiotherapists prescribe from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from procedures.models.catalogue import CatalogueRow
from procedures.models.vocabulary import Audience


class Exercise(CatalogueRow):
    """One exercise in plain words (FHIR ActivityDefinition). How much of it is for the prescription to say.

    `phase` is where the library files it; when a patient is ready for it, the physiotherapist decides.
    `words` maps a language to `name` and `instructions`, a list of short sentences in order.
    """

    class Phase(models.TextChoices):
        BEFORE = "before", _("before surgery")
        FIRST_DAYS = "first_days", _("the first days")
        EARLY_WEEKS = "early_weeks", _("the early weeks")
        BUILDING = "building", _("building up")
        LATER = "later", _("later on")

    key = models.SlugField(unique=True, max_length=80)
    audience = models.CharField(max_length=10, choices=Audience)
    phase = models.CharField(max_length=20, choices=Phase)
    position = models.PositiveSmallIntegerField()
    words = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("exercise")
        verbose_name_plural = _("exercises")
        ordering = ("position", "key")

    def __str__(self) -> str:
        return self.key
