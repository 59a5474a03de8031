"""Pages that patients and parents read about a procedure, section by section, each with its facts."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models import Language, Record
from procedures.models.catalogue import CatalogueRow, Fact, Procedure
from procedures.models.decisions import Disagreement, Slot
from procedures.models.vocabulary import Audience


class Page(CatalogueRow):
    """One page of the guide to a procedure, in one language."""

    key = models.SlugField(max_length=80)
    language = models.CharField(max_length=10, choices=Language)
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="pages")
    audience = models.CharField(max_length=10, choices=Audience)
    position = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=120)
    summary = models.CharField(max_length=300)

    class Meta:
        verbose_name = _("guide page")
        verbose_name_plural = _("guide pages")
        ordering = ("procedure", "position", "language")
        constraints = (
            models.UniqueConstraint(fields=("key", "language"), name="page_once_per_language"),
        )

    def __str__(self) -> str:
        return self.title


class PageSection(Record):
    """One section of a page: Markdown without HTML, and the facts it rests on."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="sections")
    position = models.PositiveSmallIntegerField()
    key = models.SlugField(max_length=80)
    heading = models.CharField(max_length=120)
    body = models.TextField()
    facts = models.ManyToManyField(Fact, blank=True, related_name="page_sections")
    disagreements = models.ManyToManyField(Disagreement, blank=True, related_name="page_sections")
    slots = models.ManyToManyField(Slot, blank=True, related_name="page_sections")

    class Meta:
        ordering = ("page", "position")
        constraints = (
            models.UniqueConstraint(fields=("page", "key"), name="page_section_key_unique_in_page"),
        )

    def __str__(self) -> str:
        return self.heading
