"""What patients and parents answer about how they are, and the alerts that come of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.models.people import Patient
from patients.models.smoking import Slip
from patients.querysets import AlertQuerySet, CheckInQuerySet
from portal import clock
from portal.models import Record
from procedures.models import Questionnaire, Severity


class CheckInIsFinal(TypeError):
    """A check-in that was sent was about to change."""

    def __init__(self) -> None:
        super().__init__("A check-in never changes once it is sent. Send another one.")


class CheckIn(Record):
    """One questionnaire answered once (FHIR QuestionnaireResponse). Never changes once it is sent.

    `answers` holds, in order, each question as it was read and what was answered: `key`, `kind`, `label`,
    `language`, `value` and `shown`, the value in words. A temperature's value is in °C. `flags`
    holds the warning signs in it, the most pressing first, with the advice as it was shown. `ticket` is the
    form's: sent twice, it makes one check-in. `local_date` is the clinic's day.
    """

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="check_ins")
    questionnaire = models.ForeignKey(Questionnaire, on_delete=models.PROTECT, related_name="+")
    questionnaire_version = models.PositiveSmallIntegerField()
    answers = models.JSONField()
    flags = models.JSONField(default=list)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    is_on_behalf = models.BooleanField(_("answered by somebody else"), default=False)
    sent_at = models.DateTimeField(default=clock.now)
    local_date = models.DateField()
    ticket = models.CharField(max_length=32)

    objects = CheckInQuerySet.as_manager()

    class Meta:
        verbose_name = _("check-in")
        verbose_name_plural = _("check-ins")
        ordering = ("-sent_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("episode", "ticket"), name="check_in_once_per_form"),
        )
        indexes = (models.Index(fields=("episode", "-sent_at"), name="check_in_newest_first"),)

    def __str__(self) -> str:
        return f"{self.episode_id}: {self.local_date}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row. Raises CheckInIsFinal for one that exists."""
        if not self._state.adding:
            raise CheckInIsFinal
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raise CheckInIsFinal: what somebody told the clinic stays in the record."""
        raise CheckInIsFinal

    @property
    def severity(self) -> str:
        """How pressing the worst warning sign in it is; empty without one."""
        return str(self.flags[0]["severity"]) if self.flags else ""

    @property
    def signs(self) -> str:
        """The warning signs in it in words, as whoever answered read them; empty without one."""
        return ", ".join(str(flag.get("summary") or flag["sign"]) for flag in self.flags)

    @property
    def values(self) -> dict[str, Any]:
        """What was answered, by question."""
        return {row["key"]: row["value"] for row in self.answers}


class Alert(Record):
    """A warning sign that somebody of the clinic has to look at (FHIR Flag).

    It comes of a check-in or of a slip.
    One cause, `rule_key`, has one open alert a patient: the same sign told again raises `times`, and takes
    the acknowledgement back. `summary` is in the clinic's language.
    """

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="alerts")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="alerts")
    check_in = models.ForeignKey(
        CheckIn, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts"
    )
    slip = models.ForeignKey(
        Slip, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts"
    )
    rule_key = models.SlugField(max_length=80)
    sign = models.CharField(_("warning sign"), max_length=20)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity)
    summary = models.CharField(_("summary"), max_length=200)
    times = models.PositiveSmallIntegerField(_("times told"), default=1)
    raised_at = models.DateTimeField(_("raised"), default=clock.now)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(_("note"), max_length=500, blank=True)
    escalated_at = models.DateTimeField(_("on call told"), null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-raised_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("patient", "rule_key"),
                condition=models.Q(resolved_at__isnull=True),
                name="alert_one_open_per_cause",
            ),
            models.CheckConstraint(
                condition=models.Q(check_in__isnull=False, slip__isnull=True)
                | models.Q(check_in__isnull=True, slip__isnull=False),
                name="alert_has_one_source",
            ),
            models.CheckConstraint(
                condition=models.Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True)
                | models.Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="alert_is_acknowledged_by_somebody",
            ),
            models.CheckConstraint(
                condition=models.Q(resolved_at__isnull=True, resolved_by__isnull=True)
                | (
                    models.Q(resolved_at__isnull=False, resolved_by__isnull=False)
                    & ~models.Q(note="")
                ),
                name="alert_is_resolved_with_a_note",
            ),
        )
        indexes = (
            models.Index(
                fields=("raised_at",),
                condition=models.Q(resolved_at__isnull=True),
                name="alert_open_by_age",
            ),
        )

    def __str__(self) -> str:
        return self.summary

    @property
    def told_by(self) -> Any:
        """Who told it."""
        return self.check_in.by if self.check_in else self.slip and self.slip.by

    @property
    def is_on_behalf(self) -> bool:
        """Whether somebody told it for the patient."""
        return getattr(self.told_by, "pk", None) != self.patient.user_id

    @property
    def told_at(self) -> datetime:
        """When it was told last (UTC)."""
        source = self.check_in.sent_at if self.check_in else self.slip and self.slip.told_at
        return source or self.raised_at

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to see to it."""
        return self.resolved_at is None

    @property
    def state(self) -> str:
        """“new”, “acknowledged” or “resolved”."""
        if self.resolved_at:
            return "resolved"
        return "acknowledged" if self.acknowledged_at else "new"
