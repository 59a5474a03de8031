"""Pages that patients and parents read about a procedure, section by section, each with its facts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models import Clinic, Language, Record
from procedures.models.catalogue import CatalogueRow, Fact, Procedure
from procedures.models.decisions import Disagreement, Slot
from procedures.models.vocabulary import Audience
from procedures.querysets import ClinicWordsQuerySet


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


class ClinicWords(Record):
    """What readers of one clinic get in place of the catalogue's words of a section, or that this ended.

    Rows are added and never changed: the one with the highest `number` counts, the others are the
    history. A section is named by its key, which outlives a reload. `instead_of` is the text of the
    catalogue that the clinic saw when it wrote its own.
    """

    class Kind(models.TextChoices):
        OWN = "own", _("the clinic's own words")
        BACK = "back", _("back to the catalogue's words")
        OVERWRITTEN = "overwritten", _("overwritten when the catalogue was loaded")

    page = models.ForeignKey(Page, on_delete=models.PROTECT, related_name="clinic_words")
    section_key = models.SlugField(max_length=80)
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    heading = models.CharField(max_length=120, blank=True)
    body = models.TextField(blank=True)
    instead_of = models.TextField(blank=True)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    written_at = models.DateTimeField()

    objects = ClinicWordsQuerySet.as_manager()

    class Meta:
        verbose_name = _("clinic's own words")
        verbose_name_plural = _("clinics' own words")
        ordering = ("page", "section_key", "clinic", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=("page", "section_key", "clinic", "number"),
                name="clinic_words_number_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="own") & ~models.Q(heading="") & ~models.Q(body="")
                | ~models.Q(kind="own") & models.Q(heading="", body=""),
                name="clinic_words_own_has_words",
            ),
        )

    def __str__(self) -> str:
        return f"{self.page}, {self.section_key} ({self.clinic})"
