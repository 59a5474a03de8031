"""The people a clinic cares for, and those who care for them at home."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.querysets import PatientQuerySet, RelatedPersonQuerySet
from portal import clock
from portal.models import Clinic, Record, User
from portal.prepared import Blank

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
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="former_records",
        help_text=_("The record of the same person that goes on."),
    )  # fmt: skip

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
        indexes = (
            models.Index(fields=("birth_date",), name="patient_by_birth_date"),
            models.Index(fields=("family_name", "given_name", "id"), name="patient_by_name"),
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

    def birthday(self, age: int) -> date:
        """The day of turning `age`; someone born on 29 February does so on 1 March of a common year."""
        born = self.birth_date
        try:
            return born.replace(year=born.year + age)
        except ValueError:
            return date(born.year + age, 3, 1)

    @property
    def adult_on(self) -> date:
        """The 18th birthday."""
        return self.birthday(ADULT_AT)

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
    def every_id(self) -> models.QuerySet[Any, Any]:
        """The keys of this record and of those that were merged into it, for a condition; asks nothing by itself."""
        return records_of(self.pk)

    @property
    def is_contactable(self) -> bool:
        """Whether mail about this patient may be sent to anyone at all."""
        return self.deceased_on is None and not self.is_restricted


def records_of(patient: UUID | Blank) -> models.QuerySet[Any, Any]:
    """The keys of a patient's record and of those that were merged into it, for a condition."""
    records = Patient.objects.filter(models.Q(pk=patient) | models.Q(merged_into=patient))
    return records.order_by().values("pk")


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
    end_asked_at = models.DateTimeField(_("asked to end"), null=True, blank=True)
    end_asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

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
