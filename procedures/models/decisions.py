"""What a clinic has to decide: points on which the sources differ, and slots that no source fills."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models import Clinic, Record
from procedures.models.catalogue import CatalogueRow, Fact, Source


class Disagreement(CatalogueRow):
    """A point on which the sources differ. Both values stand until a clinician of a clinic settles it."""

    key = models.CharField(max_length=20, unique=True)
    topic = models.CharField(max_length=120)
    question = models.TextField(blank=True)
    comment = models.TextField(blank=True)
    facts = models.ManyToManyField(Fact, blank=True, related_name="disagreements")

    class Meta:
        verbose_name = _("disagreement")
        verbose_name_plural = _("disagreements")
        ordering = ("key",)

    def __str__(self) -> str:
        return f"{self.key}: {self.topic}"


class DisagreementValue(Record):
    """One of the values that stand against each other."""

    disagreement = models.ForeignKey(Disagreement, on_delete=models.CASCADE, related_name="values")
    position = models.PositiveSmallIntegerField()
    statement = models.CharField(max_length=300)
    sources = models.ManyToManyField(Source, related_name="+")

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(
                fields=("disagreement", "position"), name="disagreement_value_position_unique"
            ),
        )

    def __str__(self) -> str:
        return self.statement


class Resolution(Record):
    """How one clinic settled one disagreement: a value of the sources, or its own."""

    disagreement = models.ForeignKey(
        Disagreement, on_delete=models.PROTECT, related_name="resolutions"
    )
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    value = models.ForeignKey(
        DisagreementValue, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    own_value = models.CharField(_("the clinic's own value"), max_length=300, blank=True)
    reason = models.TextField(_("reason"))
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    resolved_at = models.DateTimeField()
    is_demo_value = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("resolution")
        verbose_name_plural = _("resolutions")
        constraints = (
            models.UniqueConstraint(
                fields=("disagreement", "clinic"), name="resolution_once_per_clinic"
            ),
            models.CheckConstraint(
                condition=models.Q(value__isnull=False, own_value="")
                | (models.Q(value__isnull=True) & ~models.Q(own_value="")),
                name="resolution_is_one_value",
            ),
        )

    def __str__(self) -> str:
        return str(self.value or self.own_value)


class Slot(CatalogueRow):
    """Something no source states and every clinic has to say for itself."""

    class Kind(models.TextChoices):
        TEXT = "text", _("text")
        WEEKS = "weeks", _("weeks after the anchor")
        DAYS = "days", _("days after the anchor")
        PHONE = "phone", _("phone number")

    key = models.SlugField(unique=True)
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, choices=Kind)
    hint = models.TextField(blank=True)

    class Meta:
        verbose_name = _("clinic slot")
        verbose_name_plural = _("clinic slots")
        ordering = ("key",)

    def __str__(self) -> str:
        return self.name


class SlotValue(Record):
    """What one clinic put into a slot."""

    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="values")
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="slot_values")
    value = models.CharField(max_length=500)
    is_demo_value = models.BooleanField(default=False)
    filled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    filled_at = models.DateTimeField()

    class Meta:
        verbose_name = _("slot value")
        verbose_name_plural = _("slot values")
        constraints = (
            models.UniqueConstraint(fields=("slot", "clinic"), name="slot_value_once_per_clinic"),
        )

    def __str__(self) -> str:
        return f"{self.slot}: {self.value}"
