"""What staff write down about a patient, and what they hold back from a plan."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.models.people import Patient
from patients.querysets import HoldQuerySet, NoteQuerySet
from portal import clock
from portal.models import Record
from procedures.models import Category


class Note(Record):
    """What a member of staff wrote about a patient (FHIR Annotation). Never changes; a correction is another note.

    For staff alone: no page of the patient shows it, though a copy of the whole record would hold it.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="notes")
    text = models.TextField(_("note"), max_length=2000)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(_("written"), default=clock.now)

    objects = NoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ("-written_at", "id")

    def __str__(self) -> str:
        return self.text[:60]


class Hold(Record):
    """Part of an episode's plan that staff stopped: one step, one category, or all of it. Lifting it plans it again.

    With neither `step_key` nor `category` the whole plan is paused. A step is known by its key, so that the
    hold outlives a change of version.
    """

    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="holds")
    step_key = models.CharField(max_length=80, blank=True)
    category = models.CharField(max_length=20, choices=Category, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField(default=clock.now)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ("-placed_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("episode", "step_key", "category"),
                condition=Q(lifted_at__isnull=True),
                name="hold_once_while_it_stands",
            ),
            models.CheckConstraint(
                condition=Q(step_key="") | Q(category=""), name="hold_is_about_one_thing"
            ),
        )

    def __str__(self) -> str:
        return self.target

    @property
    def target(self) -> str:
        """What is held, as the planner knows it: “*”, “category:…” or “step:…”."""
        if self.step_key:
            return f"step:{self.step_key}"
        return f"category:{self.category}" if self.category else "*"
