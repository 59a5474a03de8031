"""Pathways, their versions at a clinic, and the steps of a version with their words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models import Clinic, Language, Record
from procedures.models.catalogue import CatalogueRow, Fact, Procedure
from procedures.models.decisions import Disagreement, Slot
from procedures.models.vocabulary import (
    Audience,
    Category,
    LatePolicy,
    Recipients,
    RepeatPolicy,
    Unit,
    validate_anchor,
)
from procedures.querysets import (
    ApprovedVersionIsFinal,
    PathwayVersionQuerySet,
    StepQuerySet,
    StepTextQuerySet,
)


class Pathway(CatalogueRow):
    """The plan for one procedure and one audience (FHIR PlanDefinition), whatever clinic and version."""

    key = models.SlugField(unique=True)
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="pathways")
    name = models.CharField(max_length=150)
    audience = models.CharField(max_length=10, choices=Audience)

    class Meta:
        verbose_name = _("pathway")
        verbose_name_plural = _("pathways")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class PathwayVersion(Record):
    """One version of a pathway at one clinic. Once approved, it and its steps never change."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Approved")
        RETIRED = "retired", _("Retired")

    pathway = models.ForeignKey(Pathway, on_delete=models.PROTECT, related_name="versions")
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="pathway_versions")
    number = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    digest = models.CharField(
        max_length=64, help_text=_("SHA-256 of the catalogue text it was made from.")
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    review_on = models.DateField(null=True, blank=True)

    # What may still change after approval: that the version is no longer booked on, and the day
    # by which it is read again.
    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset({"status", "review_on"})

    objects = PathwayVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("pathway version")
        verbose_name_plural = _("pathway versions")
        ordering = ("pathway", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=("pathway", "clinic", "number"), name="pathway_version_number_unique"
            ),
            models.UniqueConstraint(
                fields=("pathway", "clinic"),
                condition=models.Q(status="draft"),
                name="pathway_version_one_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(status="draft", approved_at__isnull=True)
                | (~models.Q(status="draft") & models.Q(approved_at__isnull=False)),
                name="pathway_version_approved_has_a_moment",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pathway} v{self.number}"

    @property
    def is_draft(self) -> bool:
        """Whether it can still be edited, and cannot be booked on."""
        return self.status == self.Status.DRAFT

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the version. Raises ApprovedVersionIsFinal for a change to an approved one."""
        if not self._state.adding:
            self._refuse_change()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove a draft. Raises ApprovedVersionIsFinal for an approved version."""
        type(self).objects.filter(pk=self.pk).refuse_approved()
        return super().delete(*args, **kwargs)

    def _refuse_change(self) -> None:
        fixed = [f.attname for f in self._meta.concrete_fields if f.name not in self.MAY_CHANGE]
        stored = type(self).objects.filter(pk=self.pk).exclude(status=self.Status.DRAFT)
        row = stored.values(*fixed).first()
        if row and (self.is_draft or any(getattr(self, name) != row[name] for name in fixed)):
            raise ApprovedVersionIsFinal


class Step(CatalogueRow):
    """One instruction of a pathway version (FHIR PlanDefinition.action).

    Its moment is `offset_value` `offset_unit` from `anchor` (negative: before), at `at` local time.
    With `repeat_every_days` it comes again until `repeat_count` occurrences or the end of the
    repetition; `repeat_weekdays` (0 = Monday) keeps to chosen days. `condition` maps attribute
    names to the value, or the list of values, that the patient must have.

    In a draft, a step with an `offset_slot` has +1 or -1 in `offset_value`: after the anchor, or
    before it. Approval multiplies it by what the clinic put into the slot (`resolved_offset`).
    """

    version = models.ForeignKey(PathwayVersion, on_delete=models.CASCADE, related_name="steps")
    key = models.SlugField(max_length=80)
    position = models.PositiveSmallIntegerField()
    category = models.CharField(max_length=20, choices=Category)
    anchor = models.CharField(max_length=60, validators=[validate_anchor])
    appointment_kind = models.CharField(max_length=20, blank=True)
    offset_value = models.SmallIntegerField()
    offset_unit = models.CharField(max_length=10, choices=Unit)
    offset_slot = models.ForeignKey(
        Slot, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.TimeField()
    repeat_every_days = models.PositiveSmallIntegerField(null=True, blank=True)
    repeat_weekdays = models.JSONField(default=list, blank=True)
    repeat_count = models.PositiveSmallIntegerField(null=True, blank=True)
    repeat_until_anchor = models.CharField(max_length=60, blank=True)
    repeat_until_value = models.SmallIntegerField(null=True, blank=True)
    repeat_until_unit = models.CharField(max_length=10, choices=Unit, blank=True)
    condition = models.JSONField(default=dict, blank=True)
    ends_when = models.CharField(max_length=40, blank=True)
    recipients = models.CharField(max_length=10, choices=Recipients, default=Recipients.DEFAULT)
    valid_for = models.DurationField(default=timedelta(days=2))
    window_days = models.PositiveSmallIntegerField(null=True, blank=True)
    late_policy = models.CharField(max_length=12, choices=LatePolicy, default=LatePolicy.SKIP)
    repeat_policy = models.CharField(
        max_length=10, choices=RepeatPolicy, default=RepeatPolicy.NEVER
    )
    is_essential = models.BooleanField(default=False)
    facts = models.ManyToManyField(Fact, blank=True, related_name="steps")
    disagreements = models.ManyToManyField(Disagreement, blank=True, related_name="steps")
    slots = models.ManyToManyField(Slot, blank=True, related_name="steps")

    objects = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("version", "position")
        constraints = (
            models.UniqueConstraint(fields=("version", "key"), name="step_key_unique_in_version"),
            models.CheckConstraint(
                condition=(models.Q(anchor="appointment") & ~models.Q(appointment_kind=""))
                | (~models.Q(anchor="appointment") & models.Q(appointment_kind="")),
                name="step_on_appointment_names_its_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(repeat_every_days__isnull=True)
                | models.Q(repeat_count__isnull=False)
                | models.Q(repeat_until_value__isnull=False),
                name="step_repetition_ends",
            ),
        )

    def __str__(self) -> str:
        return self.key

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the step. Raises ApprovedVersionIsFinal where its version is approved."""
        self.refuse_if_approved()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove the step. Raises ApprovedVersionIsFinal where its version is approved."""
        self.refuse_if_approved()
        return super().delete(*args, **kwargs)

    def refuse_if_approved(self) -> None:
        """Raise ApprovedVersionIsFinal if the step is, or would come to be, in an approved version."""
        PathwayVersion.objects.filter(pk=self.version_id).refuse_approved()
        type(self).objects.filter(pk=self.pk).refuse_approved()


class StepText(Record):
    """The words of a step in one language: subject of the mail, title, the one thing to do, and the body.

    `body` is Markdown without HTML; `{placeholders}` are filled when the mail is made.
    """

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(max_length=10, choices=Language)
    subject = models.CharField(max_length=78)
    title = models.CharField(max_length=100)
    todo = models.CharField(max_length=200)
    body = models.TextField()

    objects = StepTextQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("step", "language"), name="step_text_once_per_language"
            ),
        )

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the words. Raises ApprovedVersionIsFinal where the step's version is approved."""
        self.refuse_if_approved()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove the words. Raises ApprovedVersionIsFinal where the step's version is approved."""
        self.refuse_if_approved()
        return super().delete(*args, **kwargs)

    def refuse_if_approved(self) -> None:
        """Raise ApprovedVersionIsFinal if the words are of a step in an approved version."""
        Step.objects.filter(pk=self.step_id).refuse_approved()
