"""Lists that staff bring in: the list as it was read, and each of its rows with what is to become of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.models.people import Patient
from patients.querysets import ImportBatchQuerySet
from portal.models import Clinic, Record


class DateOrder(models.TextChoices):
    """In which order a list writes its dates."""

    DAY_FIRST = "dmy", _("day, month, year: 31/12/1990")
    MONTH_FIRST = "mdy", _("month, day, year: 12/31/1990")
    YEAR_FIRST = "ymd", _("year, month, day: 1990-12-31")


class ImportBatch(Record):
    """One list that was brought in. Its rows are deleted after a time; what it did stays in the audit trail."""

    class Status(models.TextChoices):
        READ = "read", _("columns to check")
        MATCHING = "matching", _("being compared")
        READY = "ready", _("ready to look at")
        COMMITTING = "committing", _("being entered")
        COMMITTED = "committed", _("entered")
        UNDOING = "undoing", _("being taken back")
        UNDONE = "undone", _("taken back")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    acted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+",
        help_text=_("Who entered it, or took it back."),
    )  # fmt: skip
    file_name = models.CharField(_("file"), max_length=150)
    read_as = models.CharField(max_length=60, blank=True)
    columns = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    date_order = models.CharField(
        _("order of dates"), max_length=3, choices=DateOrder, default=DateOrder.DAY_FIRST
    )
    mixed_columns = models.JSONField(default=list)
    status = models.CharField(
        _("state"), max_length=10, choices=Status, default=Status.READ, db_index=True
    )
    total = models.PositiveIntegerField(_("rows"), default=0)
    reached = models.PositiveIntegerField(default=0)
    acted_at = models.DateTimeField(null=True)
    emptied_at = models.DateTimeField(null=True)

    objects = ImportBatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=("clinic", "-created_at"), name="import_by_clinic"),)

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_moving(self) -> bool:
        """Whether the machine is at work on it."""
        return self.status in {self.Status.MATCHING, self.Status.COMMITTING, self.Status.UNDOING}

    @property
    def percent(self) -> int:
        """How far the machine has come with what it is doing."""
        return 100 * self.reached // self.total if self.total else 100


class ImportRow(models.Model):
    """One line of a list: as it was read, what it was taken for, and what became of it."""

    class Verdict(models.TextChoices):
        WAITING = "waiting", _("not compared yet")
        NEW = "new", _("new patient")
        BOOK = "book", _("new operation")
        CHANGE = "change", _("changed details")
        SAME = "same", _("nothing new")
        LIKELY = "likely", _("perhaps known")
        REFUSED = "refused", _("cannot be entered")

    class Choice(models.TextChoices):
        NONE = "", _("as compared")
        LEAVE_OUT = "leave_out", _("left out")
        SAME_PERSON = "same_person", _("the same person")
        NEW_PERSON = "new_person", _("another person")

    class State(models.TextChoices):
        WAITING = "waiting", _("not entered")
        DONE = "done", _("entered")
        FAILED = "failed", _("refused while entering")
        UNDONE = "undone", _("taken back")
        KEPT = "kept", _("not taken back")

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(help_text=_("The line in the list; the header is line 1."))
    cells = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10, choices=Verdict, default=Verdict.WAITING)
    problems = models.JSONField(default=dict)
    changes = models.JSONField(default=dict)
    choice = models.CharField(max_length=12, choices=Choice, blank=True, default=Choice.NONE)
    match = models.ForeignKey(Patient, null=True, on_delete=models.SET_NULL, related_name="+")
    follows = models.PositiveIntegerField(
        null=True, help_text=_("The line that names the same patient before this one.")
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    patient = models.ForeignKey(Patient, null=True, on_delete=models.SET_NULL, related_name="+")
    episode = models.ForeignKey(Episode, null=True, on_delete=models.SET_NULL, related_name="+")
    is_new_patient = models.BooleanField(default=False)
    is_new_account = models.BooleanField(default=False)
    before = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("row of an import")
        verbose_name_plural = _("rows of imports")
        ordering = ("batch", "number")
        constraints = (
            models.UniqueConstraint(fields=("batch", "number"), name="import_row_once"),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(verdict__in=("new", "book", "change", "same")),
                name="import_row_done_had_a_verdict",
            ),
        )
        indexes = (
            models.Index(fields=("batch", "verdict", "number"), name="import_row_by_verdict"),
            models.Index(fields=("batch", "state", "number"), name="import_row_by_state"),
        )

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.number}"

    @property
    def is_to_enter(self) -> bool:
        """Whether committing the list enters this row."""
        return self.choice != self.Choice.LEAVE_OUT and self.verdict in ENTERS

    @property
    def named(self) -> dict[str, Any]:
        """What the row says, by field."""
        cells: dict[str, Any] = self.cells
        return cells


V = ImportRow.Verdict
ENTERS = frozenset({V.NEW, V.BOOK, V.CHANGE})
