"""What waits for a person of the clinic, and how much of it there was from day to day."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.people import Patient
from patients.querysets import TaskQuerySet
from portal import clock
from portal.models import Clinic, Record


class Task(Record):
    """One thing that somebody has to see to (FHIR Task). Its cause is `kind` and `subject`, and has one row for ever.

    Opened and closed by `patients.actions.tasks.sync_tasks`, from causes that `patients.worklist` finds. A cause
    that comes again opens its row again: `times` counts, and `note` still says what was done the last time.
    `facts` are what its words are made of, `stamp` tells one coming of a cause from the next, `is_gone` says that
    the cause went away after somebody resolved it. `due_on` is a local day of the clinic.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested", _("open")
        IN_PROGRESS = "in-progress", _("in hand")
        COMPLETED = "completed", _("resolved")
        CANCELLED = "cancelled", _("closed by itself")

    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(max_length=64)
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(
        Patient, null=True, blank=True, on_delete=models.PROTECT, related_name="tasks"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    due_on = models.DateField(_("due"))
    is_pressing = models.BooleanField(default=False)
    facts = models.JSONField(default=dict, blank=True)
    stamp = models.CharField(max_length=64, blank=True)
    status = models.CharField(_("state"), max_length=12, choices=Status, default=Status.REQUESTED)
    times = models.PositiveSmallIntegerField(_("times"), default=1)
    opened_at = models.DateTimeField(_("opened"), default=clock.now)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(_("note"), max_length=500, blank=True)
    is_gone = models.BooleanField(default=False)

    objects = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ("-is_pressing", "due_on", "id")
        constraints = (
            models.UniqueConstraint(fields=("kind", "subject"), name="task_once_per_cause"),
            models.CheckConstraint(
                condition=~Q(status="in-progress") | Q(owner__isnull=False),
                name="task_in_hand_has_an_owner",
            ),
            models.CheckConstraint(
                condition=~Q(status="requested") | Q(owner__isnull=True),
                name="task_open_has_no_owner",
            ),
            models.CheckConstraint(
                condition=~Q(status="completed") | (Q(settled_by__isnull=False) & ~Q(note="")),
                name="task_is_resolved_by_somebody_with_a_note",
            ),
        )
        indexes = (
            models.Index(
                fields=("clinic", "kind", "due_on"),
                condition=Q(status__in=("requested", "in-progress")),
                name="task_open_by_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.patient or self.subject}"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to see to it."""
        return self.status in {self.Status.REQUESTED, self.Status.IN_PROGRESS}


class WorklistDay(models.Model):
    """How many tasks of one kind were open at a clinic at the end of a day (UTC), for the picture over time."""

    id = models.BigAutoField(primary_key=True)
    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40)
    day = models.DateField()
    open = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("clinic", "day", "kind"), name="worklist_day_once"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.day}: {self.open}"
