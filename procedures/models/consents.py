"""What a clinic asks people to consent to: its own texts, in versions that never change once published."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models import Clinic, Record
from procedures.models.vocabulary import Audience


class ConsentFormIsFinal(TypeError):
    """A published version was about to change."""

    def __init__(self) -> None:
        super().__init__("A published consent never changes. Write a new version.")


class ConsentForm(Record):
    """One version of one consent of a clinic. `words` maps a language to `title` and `body` (Markdown).

    What was signed points here, so a published version stays as it is: a change of a word is a new version.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("published")
        RETIRED = "retired", _("replaced")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="consent_forms")
    key = models.SlugField(max_length=60)
    number = models.PositiveSmallIntegerField(_("version"))
    audience = models.CharField(_("for"), max_length=10, choices=Audience, default=Audience.ANY)
    words = models.JSONField()
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.DRAFT)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering = ("clinic", "key", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=("clinic", "key", "number"), name="consent_form_number_unique"
            ),
            models.UniqueConstraint(
                fields=("clinic", "key"),
                condition=Q(status="active"),
                name="consent_form_one_published",
            ),
            models.UniqueConstraint(
                fields=("clinic", "key"), condition=Q(status="draft"), name="consent_form_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(status="draft") | Q(published_at__isnull=False),
                name="consent_form_published_has_a_moment",
            ),
        )

    def __str__(self) -> str:
        return _("%(title)s, version %(n)d") % {"title": self.title, "n": self.number}

    @property
    def title(self) -> str:
        """Its title in the clinic's language, or in any."""
        words: dict[str, str] = self.words.get(self.clinic.language) or next(
            iter(self.words.values()), {}
        )
        return str(words.get("title", self.key))

    def digest(self, language: str) -> str:
        """The SHA-256 over key, version, language and the text in it, as a signature keeps it."""
        words = self.words[language]
        whole = [self.key, self.number, language, words["title"], words["body"]]
        return hashlib.sha256(json.dumps(whole, ensure_ascii=False).encode()).hexdigest()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row. Raises ConsentFormIsFinal where published words would change."""
        if not self._state.adding:
            stored = type(self).objects.filter(pk=self.pk).values("status", "words", "number").get()
            is_same = (stored["words"], stored["number"]) == (self.words, self.number)
            if stored["status"] != self.Status.DRAFT and not is_same:
                raise ConsentFormIsFinal
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove a draft. Raises ConsentFormIsFinal for a published version."""
        if self.status != self.Status.DRAFT:
            raise ConsentFormIsFinal
        return super().delete(*args, **kwargs)
