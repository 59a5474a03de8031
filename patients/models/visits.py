"""Booked visits, and the X-rays that have to be booked."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.querysets import AppointmentQuerySet, ImagingRequestQuerySet
from portal import clock
from portal.day_words import date_format
from portal.models import Location, Record, validate_time_zone
from procedures.models import Step

if TYPE_CHECKING:
    from patients.models.wishes import MoveRequest


class AppointmentKind(models.TextChoices):
    """What an appointment is for."""

    PRE_ASSESSMENT = "pre_assessment", _("Check before surgery")
    ADMISSION = "admission", _("Coming into hospital")
    PHYSIOTHERAPY = "physiotherapy", _("Physiotherapy")
    XRAY = "xray", _("X-ray")
    CLINIC = "clinic", _("Clinic visit")


class Appointment(Record):
    """A booked visit (FHIR Appointment, RFC 5545 VEVENT).

    `local_date`, `local_time` and `time_zone` are what was agreed; `starts_at` (UTC) is derived from them.
    `sequence` rises on every change, so that calendars replace the old entry (RFC 5546); `changed_at` is when (UTC).
    `confirmed_at` (UTC) is when somebody said that they come; another time has to be confirmed anew.
    """

    class Status(models.TextChoices):
        BOOKED = "booked", _("booked")
        FULFILLED = "fulfilled", _("attended")
        NO_SHOW = "noshow", _("missed")
        CANCELLED = "cancelled", _("cancelled")

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="appointments")
    kind = models.CharField(_("kind"), max_length=20, choices=AppointmentKind)
    local_date = models.DateField(_("date"))
    local_time = models.TimeField(_("time"))
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone])
    starts_at = models.DateTimeField(editable=False)
    minutes = models.PositiveSmallIntegerField(_("length in minutes"), default=30)
    location = models.ForeignKey(
        Location, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(_("what to bring"), max_length=300, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.BOOKED)
    sequence = models.PositiveIntegerField(default=0, editable=False)
    changed_at = models.DateTimeField(default=clock.now, editable=False)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ("starts_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(confirmed_at__isnull=True, confirmed_by__isnull=True)
                | models.Q(confirmed_at__isnull=False, confirmed_by__isnull=False),
                name="appointment_is_confirmed_by_somebody",
            ),
        )
        indexes = (
            models.Index(fields=("status", "starts_at"), name="appointment_next"),
            models.Index(fields=("starts_at", "id"), name="appointment_by_moment"),
            models.Index(fields=("local_date",), name="appointment_by_day"),
        )

    def __str__(self) -> str:
        day = date_format(self.local_date, "D j M Y")
        return f"{self.get_kind_display()}, {day}, {self.local_time:%H:%M}"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The zone that `local_time` is in."""
        return zoneinfo.ZoneInfo(self.time_zone)

    @property
    def open_wish(self) -> MoveRequest | None:
        """The wish for another time that waits for an answer. Reads prefetched ones where there are any."""
        return next((wish for wish in self.move_requests.all() if wish.is_open), None)

    @property
    def last_answer(self) -> MoveRequest | None:
        """The wish that the clinic answered last, if it has, and nothing was asked since."""
        newest = next(iter(self.move_requests.all()), None)
        return newest if newest is not None and newest.is_answered else None

    @property
    def uid(self) -> str:
        """The calendar entry's UID: the same for its whole life (RFC 5545 section 3.8.4.7)."""
        return f"{self.id}@stepwise"

    def derive_starts_at(self) -> datetime:
        """The UTC moment of the agreed local time; of a time that occurs twice, the first."""
        local = datetime.combine(self.local_date, self.local_time, self.zone)
        return local.astimezone(UTC)


class ImagingRequest(Record):
    """An X-ray that falls due inside a window and stays on the worklist until booked (FHIR ServiceRequest).

    The window runs from `window_from` up to and with `window_until`, local days of the clinic. The patient
    reads the result once it is released.
    """

    class Status(models.TextChoices):
        DUE = "draft", _("to be booked")
        BOOKED = "active", _("booked")
        DONE = "completed", _("done")
        WITHDRAWN = "revoked", _("withdrawn")

    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="imaging_requests")
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="+")
    window_from = models.DateField()
    window_until = models.DateField()
    status = models.CharField(max_length=10, choices=Status, default=Status.DUE)
    appointment = models.OneToOneField(
        Appointment,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="imaging_request",
    )
    result_note = models.CharField(_("result"), max_length=1000, blank=True)
    resulted_at = models.DateTimeField(null=True, blank=True)
    resulted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = ImagingRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("X-ray request")
        verbose_name_plural = _("X-ray requests")
        ordering = ("window_from", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("episode", "step"), name="imaging_request_once_per_step"
            ),
            models.CheckConstraint(
                condition=models.Q(window_until__gte=models.F("window_from")),
                name="imaging_request_window_is_a_window",
            ),
            models.CheckConstraint(
                condition=models.Q(resulted_at__isnull=True, result_note="")
                | (models.Q(resulted_at__isnull=False) & ~models.Q(result_note="")),
                name="imaging_request_result_has_words",
            ),
            models.CheckConstraint(
                condition=models.Q(released_at__isnull=True) | models.Q(resulted_at__isnull=False),
                name="imaging_request_released_has_a_result",
            ),
        )
        indexes = (
            models.Index(fields=("window_from", "id"), name="imaging_request_by_window"),
            models.Index(
                fields=("window_until", "id"),
                condition=models.Q(status="draft"),
                name="imaging_request_to_book",
            ),
        )

    def __str__(self) -> str:
        first, last = (date_format(on, "j M Y") for on in (self.window_from, self.window_until))
        return f"{first} – {last}"
