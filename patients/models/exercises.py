"""What the physiotherapist prescribed, and what of it was done, round by round."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.querysets import ExerciseLogQuerySet, PrescriptionQuerySet
from portal import clock
from portal.models import Record
from procedures.models import Exercise

MOST_SETS, MOST_REPETITIONS, MOST_TIMES_A_DAY = 10, 100, 10


def _between(name: str, least: int, most: int) -> models.Q:
    return models.Q(**{f"{name}__gte": least, f"{name}__lte": most})


class Prescription(Record):
    """One exercise for one episode (FHIR ServiceRequest): so many sets of so many, so many times a day.

    Days are the clinic's; `last_on` is the last day on which it is done, none for as long as it stands.
    A change of dose is a new row, so that what was done keeps what was asked.
    """

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="prescriptions")
    exercise = models.ForeignKey(Exercise, on_delete=models.PROTECT, related_name="+")
    sets = models.PositiveSmallIntegerField(_("sets"), default=1)
    repetitions = models.PositiveSmallIntegerField(_("repetitions"))
    times_a_day = models.PositiveSmallIntegerField(_("times a day"), default=1)
    starts_on = models.DateField(_("from"))
    last_on = models.DateField(_("until"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    prescribed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = PrescriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("prescription")
        verbose_name_plural = _("prescriptions")
        ordering = ("exercise__position", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("episode", "exercise"),
                condition=models.Q(ended_at__isnull=True),
                name="prescription_one_open_per_exercise",
            ),
            models.CheckConstraint(
                condition=_between("sets", 1, MOST_SETS)
                & _between("repetitions", 1, MOST_REPETITIONS)
                & _between("times_a_day", 1, MOST_TIMES_A_DAY),
                name="prescription_dose_is_sane",
            ),
            models.CheckConstraint(
                condition=models.Q(last_on__isnull=True)
                | models.Q(last_on__gte=models.F("starts_on")),
                name="prescription_ends_after_it_starts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.exercise}: {self.sets} × {self.repetitions}"

    def is_for(self, day: date) -> bool:
        """Whether it stood on the clinic's local day `day`; the day on which it was ended does not count."""
        ended_on = (
            self.ended_at and self.ended_at.astimezone(self.episode.patient.clinic.zone).date()
        )
        return (
            self.starts_on <= day
            and (self.last_on is None or day <= self.last_on)
            and (ended_on is None or day < ended_on)
        )


class ExerciseLog(Record):
    """One round of one exercise done on one day (FHIR Procedure). `on` is the clinic's local day.

    Pain, from 0 to 10, is as told, and may be left out.
    """

    prescription = models.ForeignKey(Prescription, on_delete=models.PROTECT, related_name="logs")
    on = models.DateField()
    round = models.PositiveSmallIntegerField()
    pain_before = models.PositiveSmallIntegerField(_("pain before"), null=True, blank=True)
    pain_after = models.PositiveSmallIntegerField(_("pain after"), null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    logged_at = models.DateTimeField(default=clock.now)

    objects = ExerciseLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("exercise done")
        verbose_name_plural = _("exercises done")
        ordering = ("on", "round", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("prescription", "on", "round"), name="exercise_log_once_per_round"
            ),
            models.CheckConstraint(
                condition=_between("round", 1, MOST_TIMES_A_DAY), name="exercise_log_round_is_sane"
            ),
            models.CheckConstraint(
                condition=(models.Q(pain_before__isnull=True) | models.Q(pain_before__lte=10))
                & (models.Q(pain_after__isnull=True) | models.Q(pain_after__lte=10)),
                name="exercise_log_pain_up_to_ten",
            ),
        )

    def __str__(self) -> str:
        return f"{self.prescription_id}: {self.on}, {self.round}"
