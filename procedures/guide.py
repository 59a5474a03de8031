"""What a reader of the guide gets: pages in their language, filled with what their clinic decided.

Until the clinic has decided, a text says whom to ask; it never shows one of several values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import CharField, Exists, OuterRef, QuerySet, UUIDField
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.models import Clinic, Invitation, Language, User
from portal.prepared import Blank, Listed, prepared
from procedures.markdown import to_html
from procedures.models import (
    Audience,
    ClinicWords,
    Disagreement,
    Fact,
    Page,
    PageSection,
    Pathway,
    PathwayVersion,
    Procedure,
)
from procedures.timeline import Picture, draw
from procedures.wording import CLINIC, as_markdown, clinic_values, fill, placeholders_in


class Cited(NamedTuple):
    """A fact that a section rests on, and who published it."""

    key: str
    statement: str
    publishers: tuple[str, ...]
    reviewed_by: str
    reviewed_on: date | None


class OpenPoint(NamedTuple):
    """A point on which the sources differ, and which the clinic has not settled; `id` is that of the Disagreement."""

    id: str
    key: str
    topic: str


class Section(NamedTuple):
    """A section as it is read: safe HTML, the facts it rests on, and the points still open.

    `is_own` says that the words are the clinic's own. Plain values, so that its HTML can be kept.
    """

    key: str
    heading: str
    html: SafeString
    facts: tuple[Cited, ...]
    open_points: tuple[OpenPoint, ...]
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Guide:
    """All pages about one procedure in one language, in order."""

    procedure: Procedure
    pages: Sequence[Page]

    @property
    def contents(self) -> tuple[Entry, ...]:
        """Its pages, as a list of contents names them."""
        return tuple(Entry(one.key, one.title, one.summary, one.language) for one in self.pages)


class Entry(NamedTuple):
    """A page in a list of contents."""

    key: str
    title: str
    summary: str
    language: str


class Topic(NamedTuple):
    """A procedure in the list of guides."""

    key: str
    name: str
    audience: str
    aliases: tuple[str, ...]


USER = Blank("user", UUIDField())
LANGUAGE = Blank("language", CharField())
PROCEDURES = Listed("procedures", UUIDField())
PAGES = Listed("pages", UUIDField())


def clinic_of_reader(user: User) -> Clinic | None:
    """The clinic whose decisions a reader sees: that of their work, else of their latest invitation.

    An installation with a single clinic needs neither. None means that nothing counts as decided.
    """
    at_work = Clinic.objects.visible_to(user).first()
    if at_work:
        return at_work
    invited_by = _last_invitation(user=user.pk)
    if invited_by:
        return invited_by[0].clinic
    clinics = _two_clinics()
    return clinics[0] if len(clinics) == 1 else None


@prepared
def _last_invitation() -> QuerySet[Any, Invitation]:
    rows = Invitation.objects.filter(user=USER).select_related("clinic")
    return rows.order_by("-created_at")[:1]


@prepared
def _two_clinics() -> QuerySet[Any, Clinic]:
    return Clinic.objects.all()[:2]


def pages_in(language: str) -> list[Page]:
    """Every page once, in `language` or else in British English, in the order of reading. Two queries."""
    return [page for guide in guides(language) for page in guide.pages]


def guides(language: str) -> list[Guide]:
    """The guide of each procedure that has pages, by the procedure's name. Two queries."""
    return guides_to(procedures_with_guide(language), language)


def guides_to(procedures: Collection[Procedure], language: str) -> list[Guide]:
    """The guides to these procedures, in their order; nothing for one without pages. One query."""
    by_id: dict[UUID, dict[str, Page]] = {row.pk: {} for row in procedures}
    for page in _pages(procedures=list(by_id), language=language):
        of_procedure = by_id[page.procedure_id]
        if page.key not in of_procedure or page.language == language:
            of_procedure[page.key] = page
    return [_guide(row, by_id[row.pk].values()) for row in procedures if by_id[row.pk]]


def _guide(procedure: Procedure, pages: Iterable[Page]) -> Guide:
    in_order = sorted(pages, key=lambda page: page.position)
    for page in in_order:
        page.procedure = procedure
    return Guide(procedure, in_order)


def procedures_with_guide(language: str) -> list[Procedure]:
    """Every procedure with pages that can be read in `language`, by name. One query."""
    return sorted(_procedures(language=language), key=lambda procedure: procedure.name)


def topics(language: str) -> tuple[Topic, ...]:
    """Every procedure with a guide, as the list of guides names it. One query."""
    return tuple(
        Topic(row.key, row.name, row.get_audience_display(), tuple(row.aliases))
        for row in procedures_with_guide(language)
    )


@prepared
def _procedures() -> QuerySet[Any, Procedure]:
    readable = _readable().filter(procedure=OuterRef("pk"))
    return Procedure.objects.filter(Exists(readable)).defer("loaded")


@prepared
def _pages() -> QuerySet[Any, Page]:
    return _readable().filter(procedure__in=PROCEDURES).defer("loaded").order_by("position", "key")


def _readable() -> QuerySet[Any, Page]:
    """The pages in a language, and those in the one that stands in for it."""
    return Page.objects.filter(language__in=[LANGUAGE, Language.BRITISH_ENGLISH])


def guide_to(key: str, language: str) -> Guide | None:
    """The guide to the procedure of this key, if it has pages. Two queries."""
    found = guides_to(_procedure(key=key), language)
    return found[0] if found else None


@prepared
def _procedure() -> QuerySet[Any, Procedure]:
    return Procedure.objects.filter(key=Blank("key", CharField())).defer("loaded")


class Stage(StrEnum):
    """Where somebody is on their way, and which pages are about it: endings of their keys, the fittest first."""

    BEFORE = "ready"
    IN_HOSPITAL = "hospital after"
    AT_HOME = "home after"
    WEEKS = "weeks later home after"
    LATER = "later weeks after"

    @property
    def endings(self) -> list[str]:
        """The endings, the fittest first."""
        return self.value.split()


def guide_for(guide: Guide, audience: str) -> Guide:
    """The guide without the pages for the other audience, where it has both; `audience` is of `Audience`."""
    others = {Audience.ADULT, Audience.CHILD} - {audience}
    return Guide(
        guide.procedure,
        [page for page in guide.pages if not any(f"-{other}-" in page.key for other in others)],
    )


def page_at(guide: Guide, stage: Stage) -> Page | None:
    """The page to open at a stage; None where the guide has none about it."""
    by_ending = {page.key.rpartition("-")[2]: page for page in reversed(guide.pages)}
    return next((by_ending[one] for one in stage.endings if one in by_ending), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that a clinic approved, as a picture. `pathway` says for whom it is."""

    pathway: Pathway
    picture: Picture


def plans_of(procedure: Procedure, clinic: Clinic | None, language: str) -> list[Plan]:
    """The plans that the clinic approved for a procedure: one for adults, one for children, or none."""
    versions = PathwayVersion.objects.filter(clinic=clinic, pathway__procedure=procedure).approved()
    found = versions.select_related("pathway").order_by("pathway__name")
    return [Plan(version.pathway, _picture(version, language)) for version in found]


def _picture(version: PathwayVersion, language: str) -> Picture:
    steps = version.steps.select_related("offset_slot", "version").with_texts()
    return draw(list(steps), {}, language)


def sections_of(page: Page, clinic: Clinic | None) -> list[Section]:
    """The sections of a page as a reader of `clinic` gets them."""
    return sections_of_all([page], clinic)[0]


def sections_of_all(pages: Sequence[Page], clinic: Clinic | None) -> list[list[Section]]:
    """The sections of each of the pages, as a reader of `clinic` gets them. Four queries; seven with a clinic."""
    ids = [page.pk for page in pages]
    values = clinic_values(clinic) if clinic else {}
    own, cited, points = own_words(pages, clinic), _facts_of(ids), _points_of(ids)
    by_page: dict[UUID, list[Section]] = defaultdict(list)
    for row in _sections(pages=ids):
        written = own.get((row.page_id, row.key))
        section = _section(row, values, written, cited[row.pk], points[row.pk])
        by_page[row.page_id].append(section)
    return [by_page[page] for page in ids]


@prepared
def _sections() -> QuerySet[Any, PageSection]:
    return PageSection.objects.filter(page__in=PAGES).order_by("position")


def _facts_of(pages: Collection[UUID]) -> Mapping[UUID, tuple[Cited, ...]]:
    """The facts of each section of some pages, by key. Two queries."""
    published: dict[UUID, tuple[str, ...]] = defaultdict(tuple)
    for fact, publisher, _key in _publishers(pages=pages):
        published[fact] += (publisher,)
    found: dict[UUID, tuple[Cited, ...]] = defaultdict(tuple)
    for section, fact, key, statement, *review in _facts(pages=pages):
        found[section] += (Cited(key, statement, published[fact], *review),)
    return found


@prepared
def _facts() -> QuerySet[Any, tuple[Any, ...]]:
    rows = Fact.objects.filter(page_sections__page__in=PAGES).order_by("key")
    return rows.values_list("page_sections", "pk", "key", "statement", "reviewed_by", "reviewed_on")


@prepared
def _publishers() -> QuerySet[Any, tuple[UUID, str, str]]:
    cited = Fact.objects.filter(page_sections__page__in=PAGES)
    rows = Fact.sources.through.objects.filter(fact__in=cited.order_by().values("pk"))
    return rows.order_by("source__key").values_list("fact_id", "source__publisher", "source__key")


def _points_of(pages: Collection[UUID]) -> Mapping[UUID, tuple[OpenPoint, ...]]:
    """The points on which the sources of each section differ, settled or not. One query."""
    found: dict[UUID, tuple[OpenPoint, ...]] = defaultdict(tuple)
    for section, pk, key, topic in _points(pages=pages):
        found[section] += (OpenPoint(str(pk), key, topic),)
    return found


@prepared
def _points() -> QuerySet[Any, tuple[UUID, UUID, str, str]]:
    rows = Disagreement.objects.filter(page_sections__page__in=PAGES).order_by("key")
    return rows.values_list("page_sections", "pk", "key", "topic")


def own_words(pages: Iterable[Page], clinic: Clinic | None) -> dict[tuple[Any, str], ClinicWords]:
    """What `clinic` wrote in place of the catalogue's words, by page and key of the section. One query."""
    if clinic is None:
        return {}
    rows = _own_words(clinic=clinic.pk, pages=[page.pk for page in pages])
    return {(row.page_id, row.section_key): row for row in rows}


@prepared
def _own_words() -> QuerySet[Any, ClinicWords]:
    return ClinicWords.objects.in_force().filter(clinic=CLINIC, page__in=PAGES)


def read_with(section: PageSection, words: ClinicWords | None, clinic: Clinic) -> Section:
    """A section as readers of `clinic` would get it in these words, which need not be stored."""
    cited, points = _facts_of([section.page_id]), _points_of([section.page_id])
    return _section(section, clinic_values(clinic), words, cited[section.pk], points[section.pk])


def _section(
    section: PageSection,
    values: Mapping[str, str],
    own: ClinicWords | None,
    cited: tuple[Cited, ...],
    points: Iterable[OpenPoint],
) -> Section:
    text = own or section
    known = {name: value for name, value in values.items() if value}
    return Section(
        key=section.key,
        heading=text.heading,
        html=_as_html(_filled(text.body, known)),
        facts=cited,
        open_points=tuple(one for one in points if f"settled:{one.key}" not in known),
        is_own=own is not None,
    )


def _filled(body: str, known: Mapping[str, str]) -> str:
    """The text with what the clinic decided, and with whom to ask where it has not."""
    wanted = placeholders_in(body)
    return fill(
        body, {name: as_markdown(known[name]) if name in known else _ask(name) for name in wanted}
    )


@lru_cache(maxsize=500)
def _as_html(text: str) -> SafeString:
    """A text as HTML. It is the same for all readers of a clinic: nothing of a patient stands in a guide."""
    return mark_safe(to_html(text))  # noqa: S308 - HTML is switched off in the renderer


def _ask(name: str) -> str:
    return _("*Ask your surgeon.*") if name.startswith("settled:") else _("*Ask your clinic.*")
