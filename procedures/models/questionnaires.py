"""Questionnaires with their questions, and the rules by which an answer is a warning sign."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models import Record
from procedures.models.catalogue import CatalogueRow, Fact
from procedures.models.vocabulary import Audience, Unit, validate_anchor
from procedures.offsets import Offset


class Questionnaire(CatalogueRow):
    """Questions that belong together at one stage of recovery (FHIR Questionnaire).

    The stage runs from `from_value` `from_unit` after `anchor` up to, and without, `until_value`
    `until_unit`. `version` rises when questions or rules change; what somebody answered keeps the
    number, and the words they read. `words` maps a language to `title` and `intro`.

    An outcome questionnaire has a rule of `scoring` (procedures.scoring) and may ask for a licence: its
    questions then stand here without words, and it is not asked before a clinic has put them in.
    """

    class Kind(models.TextChoices):
        CHECK_IN = "check_in", _("check-in")
        OUTCOME = "outcome", _("outcome questionnaire")

    key = models.SlugField(unique=True, max_length=80)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CHECK_IN)
    audience = models.CharField(max_length=10, choices=Audience)
    version = models.PositiveSmallIntegerField(default=1)
    anchor = models.CharField(max_length=60, validators=[validate_anchor])
    from_value = models.SmallIntegerField()
    from_unit = models.CharField(max_length=10, choices=Unit)
    until_value = models.SmallIntegerField()
    until_unit = models.CharField(max_length=10, choices=Unit)
    words = models.JSONField(default=dict)
    scoring = models.JSONField(default=dict, blank=True)
    licence = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = _("questionnaire")
        verbose_name_plural = _("questionnaires")
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key

    def is_for(self, anchor_on: date, day: date) -> bool:
        """Whether `day` lies in the stage, where the anchor is on `anchor_on`; both are local days."""
        first = Offset(self.from_value, self.from_unit).added_to(anchor_on)
        over = Offset(self.until_value, self.until_unit).added_to(anchor_on)
        return first <= day < over


class Question(Record):
    """One question (FHIR Questionnaire.item).

    `words` maps a language to `label`, `help`, `low` and `high` (the ends of a scale) and `choices` (key
    to words). `asked_if` names a question and the answer to it that makes this one matter.
    """

    class Kind(models.TextChoices):
        SCALE = "scale", _("scale from 0 to 10")
        NUMBER = "number", _("number")
        YES_NO = "yes_no", _("yes or no")
        CHOICE = "choice", _("choice")
        TEXT = "text", _("own words")

    class MeasuredIn(models.TextChoices):
        CELSIUS = "celsius", "°C"

    questionnaire = models.ForeignKey(
        Questionnaire, on_delete=models.CASCADE, related_name="questions"
    )
    key = models.SlugField(max_length=80)
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    unit = models.CharField(max_length=10, choices=MeasuredIn, blank=True)
    least = models.FloatField(null=True, blank=True)
    most = models.FloatField(null=True, blank=True)
    choices = models.JSONField(default=list, blank=True)
    is_required = models.BooleanField(default=True)
    is_licensed = models.BooleanField(default=False)
    asked_if = models.JSONField(default=dict, blank=True)
    words = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ("questionnaire", "position")
        constraints = (
            models.UniqueConstraint(fields=("questionnaire", "key"), name="question_key_unique"),
        )

    def __str__(self) -> str:
        return self.key


class Severity(models.TextChoices):
    """How soon somebody has to act on a warning sign."""

    EMERGENCY = "emergency", _("emergency")
    URGENT = "urgent", _("urgent")
    CALL = "call", _("call")


class RedFlagRule(Record):
    """When an answer is a warning sign, and what the patient is told then.

    `value` is what the answer is compared with, or names the point that the clinic has settled, or the
    slot it has filled, and what counts otherwise. `words` maps a language to `summary` and `advice`.
    """

    class Comparison(models.TextChoices):
        AT_LEAST = "at_least", _("this or more")
        AT_MOST = "at_most", _("this or less")
        IS = "is", _("just this")

    questionnaire = models.ForeignKey(Questionnaire, on_delete=models.CASCADE, related_name="rules")
    key = models.SlugField(max_length=80)
    position = models.PositiveSmallIntegerField()
    question = models.SlugField(max_length=80)
    comparison = models.CharField(max_length=10, choices=Comparison)
    value = models.JSONField()
    severity = models.CharField(max_length=10, choices=Severity)
    sign = models.ForeignKey(Fact, on_delete=models.PROTECT, related_name="red_flag_rules")
    words = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("red-flag rule")
        verbose_name_plural = _("red-flag rules")
        ordering = ("questionnaire", "position")
        constraints = (
            models.UniqueConstraint(
                fields=("questionnaire", "key"), name="red_flag_rule_key_unique"
            ),
        )

    def __str__(self) -> str:
        return self.key
