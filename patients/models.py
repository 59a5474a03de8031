"""Records of people and their care: patients, carers, episodes with their dates, appointments, X-ray requests.

Who may see a row is in `querysets`; what changes a row is in `actions`. Plans and mails are in `reminders`.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.querysets import (
    AppointmentQuerySet,
    EpisodeQuerySet,
    ImagingRequestQuerySet,
    PatientQuerySet,
    RelatedPersonQuerySet,
)
from portal import clock
from portal.models import Clinic, Location, Record, User, validate_time_zone
from procedures.models import PathwayVersion, Procedure, Step, validate_anchor

ADULT_AT = 18


class Patient(Record):
    """Someone the clinic cares for (FHIR Patient). `user` is the own login; a child may have none."""

    class Job(models.TextChoices):
        NONE = "none", _("no paid work")
        DESK = "desk", _("at a desk")
        ON_FEET = "on_feet", _("on their feet")
        HEAVY = "heavy", _("heavy work")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="patients")
    record_number = models.CharField(_("record number"), max_length=40)
    given_name = models.CharField(_("given name"), max_length=80)
    family_name = models.CharField(_("family name"), max_length=80)
    birth_date = models.DateField(_("date of birth"))
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="patient",
    )
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    uses_nicotine = models.BooleanField(_("smokes or uses nicotine"), default=False)
    drives = models.BooleanField(_("drives"), default=False)
    job = models.CharField(_("work"), max_length=10, choices=Job, default=Job.NONE)
    lives_alone = models.BooleanField(_("lives alone"), default=False)
    cares_for_others = models.BooleanField(_("cares for others"), default=False)
    uses_wheelchair = models.BooleanField(_("uses a wheelchair"), default=False)
    deceased_on = models.DateField(_("died on"), null=True, blank=True)
    is_restricted = models.BooleanField(
        _("no contact"), default=False, help_text=_("No mail of any kind is sent.")
    )

    objects = PatientQuerySet.as_manager()

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ("family_name", "given_name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("clinic", "record_number"), name="patient_record_number_unique"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Given and family name, as people are addressed."""
        return f"{self.given_name} {self.family_name}"

    def age_on(self, day: date) -> int:
        """Completed years of life on `day`; someone born on 29 February turns a year older on 1 March."""
        had_birthday = (day.month, day.day) >= (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - (not had_birthday)

    @property
    def adult_on(self) -> date:
        """The 18th birthday; someone born on 29 February comes of age on 1 March of a common year."""
        born = self.birth_date
        try:
            return born.replace(year=born.year + ADULT_AT)
        except ValueError:
            return date(born.year + ADULT_AT, 3, 1)

    def is_child_on(self, day: date) -> bool:
        """Whether the patient is under 18 on `day`."""
        return day < self.adult_on

    def attributes(self, on: date) -> dict[str, Any]:
        """What the conditions of steps are compared with; `procedures.conditions` lists the names."""
        return {
            "audience": "child" if self.is_child_on(on) else "adult",
            "uses_nicotine": self.uses_nicotine,
            "drives": self.drives,
            "job": self.job,
            "lives_alone": self.lives_alone,
            "cares_for_others": self.cares_for_others,
            "uses_wheelchair": self.uses_wheelchair,
        }

    @property
    def is_contactable(self) -> bool:
        """Whether mail about this patient may be sent to anyone at all."""
        return self.deceased_on is None and not self.is_restricted


class RelatedPerson(Record):
    """A parent or carer with an own login and a limited view of one patient (FHIR RelatedPerson)."""

    class Scope(models.TextChoices):
        FULL = "full", _("everything")
        APPOINTMENTS = "appointments", _("appointments and reminders only")

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="related_people")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="cares_for")
    relationship = models.CharField(_("relationship"), max_length=60)
    scope = models.CharField(_("may see"), max_length=15, choices=Scope, default=Scope.FULL)
    starts_on = models.DateField(_("from"), default=clock.today)
    ends_on = models.DateField(_("until"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = RelatedPersonQuerySet.as_manager()

    class Meta:
        verbose_name = _("parent or carer")
        verbose_name_plural = _("parents and carers")
        ordering = ("patient", "created_at")
        constraints = (
            models.UniqueConstraint(
                fields=("patient", "user"),
                condition=models.Q(ended_at__isnull=True),
                name="related_person_one_live_link",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} ({self.relationship})"

    def is_live(self, on: date) -> bool:
        """Whether the access holds on `on` (a local day of the clinic); the end day itself is outside."""
        return (
            self.ended_at is None
            and self.starts_on <= on
            and (self.ends_on is None or on < self.ends_on)
        )


class Episode(Record):
    """One patient's way through one operation (FHIR EpisodeOfCare). Follows one pathway version."""

    class Status(models.TextChoices):
        PLANNED = "planned", _("planned")
        ACTIVE = "active", _("under way")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    class Side(models.TextChoices):
        LEFT = "left", _("left")
        RIGHT = "right", _("right")
        BOTH = "both", _("both sides")

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="episodes")
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="episodes")
    version = models.ForeignKey(PathwayVersion, on_delete=models.PROTECT, related_name="episodes")
    side = models.CharField(_("side"), max_length=5, choices=Side)
    surgeon = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PLANNED)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("episode")
        verbose_name_plural = _("episodes")
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=("status",), name="episode_by_status"),)

    def __str__(self) -> str:
        return f"{self.patient}: {self.procedure}"

    @property
    def is_open(self) -> bool:
        """Whether anything of this episode may still happen."""
        return self.status in {self.Status.PLANNED, self.Status.ACTIVE}

    @property
    def anchors(self) -> dict[str, date]:
        """The dates that offsets are counted from, by anchor. Prefetch `anchor_dates` for many episodes."""
        return {row.anchor: row.on for row in self.anchor_dates.all()}

    @property
    def surgery_on(self) -> date | None:
        """The day of the operation, if it has one."""
        return self.anchors.get("surgery")


class AnchorDate(Record):
    """One dated event of an episode; an anchor without a row plans nothing. `on` is a local day."""

    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="anchor_dates")
    anchor = models.CharField(max_length=60, validators=[validate_anchor])
    on = models.DateField()
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("anchor date")
        verbose_name_plural = _("anchor dates")
        constraints = (
            models.UniqueConstraint(fields=("episode", "anchor"), name="anchor_once_per_episode"),
        )
        indexes = (models.Index(fields=("anchor", "on"), name="anchor_by_day"),)

    def __str__(self) -> str:
        return f"{self.anchor}: {self.on}"


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
    `sequence` rises on every change, so that calendars replace the old entry (RFC 5546).
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

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ("starts_at", "id")
        indexes = (models.Index(fields=("status", "starts_at"), name="appointment_next"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.local_date} {self.local_time:%H:%M}"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The zone that `local_time` is in."""
        return zoneinfo.ZoneInfo(self.time_zone)

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

    The window runs from `window_from` up to and with `window_until`, local days of the clinic.
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

    objects = ImagingRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("X-ray request")
        verbose_name_plural = _("X-ray requests")
        ordering = ("window_from", "id")
        constraints = (
            models.UniqueConstraint(fields=("episode", "step"), name="imaging_request_once_per_step"),
            models.CheckConstraint(
                condition=models.Q(window_until__gte=models.F("window_from")),
                name="imaging_request_window_is_a_window",
            ),
        )

    def __str__(self) -> str:
        return f"{self.window_from} – {self.window_until}"


class StepResponse(Record):
    """What somebody answered to one occurrence of a step: done, or a question for the team."""

    class Answer(models.TextChoices):
        DONE = "done", _("done")
        QUESTION = "question", _("has a question")

    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="responses")
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="+")
    occurrence = models.PositiveSmallIntegerField()
    answer = models.CharField(max_length=10, choices=Answer)
    note = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("answer to a step")
        verbose_name_plural = _("answers to steps")
        constraints = (
            models.UniqueConstraint(
                fields=("episode", "step", "occurrence", "answer"), name="step_response_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.step}: {self.answer}"


class PlanRequest(models.Model):
    """A note that an episode's plan has to be worked out again.

    Written in the transaction of the change itself, so that it can neither be lost nor come too
    early; `reminders` takes the notes away as it plans (a transactional outbox).
    """

    id = models.BigAutoField(primary_key=True)
    episode = models.ForeignKey(Episode, on_delete=models.CASCADE, related_name="plan_requests")
    reason = models.CharField(max_length=60)
    requested_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.episode_id}: {self.reason}"
