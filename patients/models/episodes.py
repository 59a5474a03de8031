"""One patient's way through one operation: its dates, the answers to its steps, and the notes to plan anew."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.people import Patient
from patients.querysets import EpisodeQuerySet, StepResponseQuerySet
from portal import clock
from portal.models import Record
from procedures.models import PathwayVersion, Procedure, Step, validate_anchor


class Episode(Record):
    """One patient's way through one operation (FHIR EpisodeOfCare). Follows one pathway version."""

    class Status(models.TextChoices):
        PLANNED = "planned", _("planned")
        ACTIVE = "active", _("under way")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    OPEN = frozenset({Status.PLANNED, Status.ACTIVE})

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
        indexes = (
            models.Index(fields=("status",), name="episode_by_status"),
            models.Index(fields=("-created_at", "id"), name="episode_newest"),
        )

    def __str__(self) -> str:
        return f"{self.patient}: {self.procedure}"

    @property
    def is_open(self) -> bool:
        """Whether anything of this episode may still happen."""
        return self.status in self.OPEN

    @property
    def anchors(self) -> dict[str, date]:
        """The dates that offsets are counted from, by anchor. Prefetch `anchor_dates` for many episodes."""
        brought: dict[str, date] | None = self.__dict__.get("_brought_anchors")
        if brought is not None:
            return brought
        return {row.anchor: row.on for row in self.anchor_dates.all()}

    def bring_anchors(self, anchors: dict[str, date]) -> None:
        """Keep the dates at hand that were just read for many episodes at once; `anchors` asks no more."""
        self._brought_anchors = anchors

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


class StepResponse(Record):
    """What somebody answered to one occurrence of a step: done, or a question for the team, with its reply."""

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
    reply = models.CharField(_("reply"), max_length=1000, blank=True)
    replied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    replied_at = models.DateTimeField(null=True, blank=True)

    objects = StepResponseQuerySet.as_manager()

    class Meta:
        verbose_name = _("answer to a step")
        verbose_name_plural = _("answers to steps")
        constraints = (
            models.UniqueConstraint(
                fields=("episode", "step", "occurrence", "answer"), name="step_response_once"
            ),
            models.CheckConstraint(
                condition=models.Q(replied_at__isnull=True, replied_by__isnull=True, reply="")
                | (
                    models.Q(replied_at__isnull=False, replied_by__isnull=False)
                    & ~models.Q(reply="")
                ),
                name="step_response_is_replied_to_by_somebody",
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
