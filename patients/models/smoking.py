"""Becoming and staying smoke-free: what helps somebody to, and the honest log of slips.

The day somebody stopped, or means to, is the episode's anchor `quit`.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.querysets import SlipQuerySet
from portal import clock
from portal.models import Record


class SmokeFreePlan(Record):
    """What somebody wrote down to help themselves: why, when the craving comes, and what to do then.

    `spent_a_day` is what smoking cost in a day, in `currency` (ISO 4217); empty for who does not wish to count.
    """

    class Currency(models.TextChoices):
        POUND = "GBP", "£"
        EURO = "EUR", "€"
        DOLLAR = "USD", "$"

    episode = models.OneToOneField(Episode, on_delete=models.PROTECT, related_name="smoke_free")
    why = models.CharField(_("why I stop"), max_length=300, blank=True)
    triggers = models.CharField(_("when I want to smoke"), max_length=300, blank=True)
    instead = models.CharField(_("what I do instead"), max_length=300, blank=True)
    supporter = models.CharField(_("who helps me"), max_length=150, blank=True)
    spent_a_day = models.DecimalField(
        _("spent in a day"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    currency = models.CharField(
        _("currency"), max_length=3, choices=Currency, default=Currency.POUND
    )
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("smoke-free plan")
        verbose_name_plural = _("smoke-free plans")

    def __str__(self) -> str:
        return f"{self.episode_id}: {self.why}"


class Slip(Record):
    """One time that somebody smoked or used nicotine after they had stopped. `on` is the clinic's local day.

    A slip told by mistake is taken back and kept: an alert may hang on it. `ticket` is the form's: sent
    twice, it makes one slip.
    """

    class What(models.TextChoices):
        SMOKED = "smoked", _("smoked")
        VAPED = "vaped", _("vaped")
        NICOTINE = "nicotine", _("used another nicotine product")

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="slips")
    on = models.DateField(_("day"))
    what = models.CharField(_("what"), max_length=10, choices=What)
    note = models.CharField(_("note"), max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    told_at = models.DateTimeField(default=clock.now)
    withdrawn_at = models.DateTimeField(_("taken back"), null=True, blank=True)
    ticket = models.CharField(max_length=32)

    objects = SlipQuerySet.as_manager()

    class Meta:
        verbose_name = _("slip")
        verbose_name_plural = _("slips")
        ordering = ("-on", "-told_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("episode", "ticket"), name="slip_once_per_form"),
        )

    def __str__(self) -> str:
        return f"{self.get_what_display()}, {self.on}"
