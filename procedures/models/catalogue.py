"""What the published documents say: sources, procedures and facts. No decision of a clinic stands here."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models import Record
from procedures.models.vocabulary import Audience


class CatalogueRow(Record):
    """A row that comes from the catalogue's text files and that a clinic may edit afterwards.

    `loaded` is what the files said at the last load. Where the row differs from it, somebody has
    edited the row here, and a later load keeps the edit (docs/decisions/0021). A row that a clinic
    added itself has nothing in it.
    """

    loaded = models.JSONField(default=dict, editable=False)

    class Meta:
        abstract = True


class Source(CatalogueRow):
    """A published document that facts are drawn from."""

    key = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    publisher = models.CharField(max_length=200)
    jurisdiction = models.CharField(max_length=120)
    audience = models.CharField(max_length=120)
    scope = models.TextField(blank=True)
    quality_note = models.TextField(blank=True)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ("key",)

    def __str__(self) -> str:
        return f"{self.key}: {self.publisher}"


class Procedure(CatalogueRow):
    """An operation, or a variant of one (its `parent`)."""

    key = models.SlugField(unique=True)
    reference = models.CharField(
        max_length=20,
        blank=True,
        help_text=_("Its row in the collection of facts, for example V2."),
    )
    name = models.CharField(_("name"), max_length=150)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="variants"
    )
    audience = models.CharField(max_length=10, choices=Audience)
    what_is_done = models.TextField(_("what is done"))
    aliases = models.JSONField(_("also called"), default=list, blank=True)
    related = models.JSONField(_("related procedures"), default=list, blank=True)
    code_system = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=40, blank=True)
    is_bookable = models.BooleanField(default=True)
    sources = models.ManyToManyField(Source, related_name="procedures")

    class Meta:
        verbose_name = _("procedure")
        verbose_name_plural = _("procedures")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Fact(CatalogueRow):
    """One thing the sources say, in neutral words of our own. An offset counts from `anchor`."""

    class Strength(models.TextChoices):
        FIRM = "firm", _("must or will")
        USUAL = "usual", _("most people")
        POSSIBLE = "possible", _("some people")
        ASK = "ask", _("ask the surgeon")

    key = models.CharField(max_length=20, unique=True)
    topic = models.CharField(max_length=60)
    statement = models.TextField()
    offset_from = models.DecimalField(max_digits=6, decimal_places=1, null=True, blank=True)
    offset_to = models.DecimalField(max_digits=6, decimal_places=1, null=True, blank=True)
    unit = models.CharField(max_length=10, blank=True)
    anchor = models.CharField(max_length=60, blank=True)
    strength = models.CharField(max_length=10, choices=Strength, blank=True)
    audience = models.CharField(max_length=10, choices=Audience)
    procedures = models.ManyToManyField(Procedure, blank=True, related_name="facts")
    sources = models.ManyToManyField(Source, related_name="facts")
    reviewed_by = models.CharField(max_length=150, blank=True)
    reviewed_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = _("fact")
        verbose_name_plural = _("facts")
        ordering = ("key",)

    def __str__(self) -> str:
        return f"{self.key}: {self.topic}"
