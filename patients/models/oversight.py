"""What has to be seen by others afterwards: records opened in an emergency, and records made one."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.people import Patient
from patients.querysets import EmergencyAccessQuerySet
from portal.models import Clinic, Record


class EmergencyAccess(Record):
    """One member of staff opened the record of a patient of another clinic, for a reason and for a time.

    FHIR AuditEvent with the purpose of use BTG, “break the glass”.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="emergencies"
    )
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="emergencies")
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    from_clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(_("reason"), max_length=500)
    ends_at = models.DateTimeField(_("until"))
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    seen_at = models.DateTimeField(_("looked at"), null=True)
    note = models.CharField(_("note"), max_length=500, blank=True)

    objects = EmergencyAccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("emergency access")
        verbose_name_plural = _("emergency access")
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(fields=("user", "patient", "ends_at"), name="emergency_by_user"),
            models.Index(fields=("clinic", "-created_at"), name="emergency_by_clinic"),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.created_at:%Y-%m-%d %H:%M}"

    def is_open(self, now: datetime) -> bool:
        """Whether the record may still be looked at by this access."""
        return now < self.ends_at


class Merge(Record):
    """Two records of one person that were made one. `moved` says which rows went over, by kind."""

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    kept = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="merges")
    ended = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="merge")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(_("reason"), max_length=200)
    moved = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return f"{self.ended_id} -> {self.kept_id}"
