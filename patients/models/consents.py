"""What somebody decided about a consent: each decision is a row of its own, with the text as it was read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models.episodes import Episode
from patients.querysets import ConsentDecisionQuerySet
from portal import clock
from portal.models import Record
from procedures.models import ConsentForm


class ConsentIsFinal(TypeError):
    """A decision about a consent was about to change."""

    def __init__(self) -> None:
        super().__init__("A decision about a consent never changes. Decide anew.")


class ConsentDecision(Record):
    """One decision about one version of a consent (FHIR Consent). The latest of an episode and key counts.

    `title`, `body` and `language` are what was read, `digest` the SHA-256 over them and the version.
    `signed_name` is what was typed. `ticket` is the form's: sent twice, it makes one decision.
    """

    class Decision(models.TextChoices):
        GIVEN = "given", _("signed")
        NOT_YET = "not_yet", _("not yet")
        QUESTION = "question", _("has a question")
        WITHDRAWN = "withdrawn", _("withdrawn")

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="consents")
    form = models.ForeignKey(ConsentForm, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(_("decision"), max_length=10, choices=Decision)
    language = models.CharField(max_length=10)
    title = models.CharField(max_length=150)
    body = models.TextField()
    digest = models.CharField(max_length=64)
    signed_name = models.CharField(_("name as typed"), max_length=150, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    is_on_behalf = models.BooleanField(_("decided by somebody else"), default=False)
    relationship = models.CharField(_("relationship"), max_length=60, blank=True)
    decided_at = models.DateTimeField(default=clock.now)
    ticket = models.CharField(max_length=32)

    objects = ConsentDecisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision about a consent")
        verbose_name_plural = _("decisions about consents")
        ordering = ("-decided_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("episode", "ticket"), name="consent_once_per_form"),
            models.CheckConstraint(
                condition=~Q(decision="given") | ~Q(signed_name=""), name="consent_given_is_signed"
            ),
            models.CheckConstraint(
                condition=~Q(decision="question") | ~Q(note=""), name="consent_question_has_words"
            ),
        )
        indexes = (models.Index(fields=("episode", "-decided_at"), name="consent_newest_first"),)

    def __str__(self) -> str:
        return f"{self.title}: {self.get_decision_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row. Raises ConsentIsFinal for one that exists."""
        if not self._state.adding:
            raise ConsentIsFinal
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raise ConsentIsFinal: what was signed stays."""
        raise ConsentIsFinal
