"""What readers wish about their visits: another time, and their visits in a calendar of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.visits import Appointment
from patients.querysets import MoveRequestQuerySet
from portal import clock
from portal.models import Record
from portal.prepared import Listed, bring, prepared


class MoveRequest(Record):
    """Somebody asks for another time of a visit (FHIR AppointmentResponse, “tentative”). The visit stands meanwhile.

    `asked_from` is the visit's moment (UTC) when it was asked. One request of a visit is open at a time.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("waits for an answer")
        MOVED = "moved", _("moved")
        KEPT = "kept", _("stays as it is")
        WITHDRAWN = "withdrawn", _("taken back")
        OVERTAKEN = "overtaken", _("the visit was cancelled, or is over")

    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, related_name="move_requests"
    )
    reason = models.CharField(_("why"), max_length=300)
    wishes = models.CharField(_("when would suit"), max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=clock.now)
    asked_from = models.DateTimeField()
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.OPEN)
    reply = models.CharField(_("reply"), max_length=500, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = MoveRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request to move a visit")
        verbose_name_plural = _("requests to move a visit")
        ordering = ("-asked_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("appointment",),
                condition=models.Q(status="open"),
                name="move_request_one_open_per_visit",
            ),
            models.CheckConstraint(
                condition=models.Q(status="open", answered_at__isnull=True)
                | (~models.Q(status="open") & models.Q(answered_at__isnull=False)),
                name="move_request_is_open_until_answered",
            ),
        )
        indexes = (
            models.Index(
                fields=("asked_at",),
                condition=models.Q(status="open"),
                name="move_request_open_by_age",
            ),
        )

    def __str__(self) -> str:
        return f"{self.appointment}: {self.get_status_display()}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for the clinic."""
        return self.status == self.Status.OPEN

    @property
    def is_answered(self) -> bool:
        """Whether the clinic has said something."""
        return self.status in {self.Status.MOVED, self.Status.KEPT}


class CalendarFeed(Record):
    """One reader's visits at an address that only they know. Of its token, only the SHA-256 is kept.

    `digest` and `changed_at` (UTC) belong to what was last served, so that a calendar program learns when
    something changed, also when only the access to a record did. `noted_on` is the last day (UTC) on which a
    reading stands in the audit trail.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_feed"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=clock.now)
    digest = models.CharField(max_length=64, blank=True)
    changed_at = models.DateTimeField(default=clock.now)
    noted_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")

    def __str__(self) -> str:
        return str(self.user_id)


APPOINTMENTS = Listed("appointments", models.UUIDField())


@prepared
def _wishes() -> models.QuerySet[Any, MoveRequest]:
    return MoveRequest.objects.filter(appointment__in=APPOINTMENTS)


def bring_wishes(visits: Sequence[Appointment]) -> None:
    """Hand visits the wishes about them. One query; none without visits."""
    if visits:
        rows = _wishes(appointments=[visit.pk for visit in visits])
        bring(visits, "move_requests", rows, "appointment_id")
