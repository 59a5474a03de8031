"""What a reader of the guide gets: pages in their language, filled with what their clinic decided.

Until the clinic has decided, a text says whom to ask; it never shows one of several values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.models import Clinic, Language, User
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
from procedures.wording import as_markdown, clinic_values, fill, placeholders_in


@dataclass(frozen=True, slots=True)
class Section:
    """A section as it is read: safe HTML, the facts it rests on, and the points still open.

    `is_own` says that the words are the clinic's own.
    """

    key: str
    heading: str
    html: SafeString
    facts: Sequence[Fact]
    open_points: Sequence[Disagreement]
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Guide:
    """All pages about one procedure in one language, in order."""

    procedure: Procedure
    pages: Sequence[Page]


def clinic_of_reader(user: User) -> Clinic | None:
    """The clinic whose decisions a reader sees: that of their work, else of their latest invitation.

    An installation with a single clinic needs neither. None means that nothing counts as decided.
    """
    at_work = Clinic.objects.visible_to(user).first()
    if at_work:
        return at_work
    invitation = user.invitations.select_related("clinic").order_by("-created_at").first()
    if invitation:
        return invitation.clinic
    clinics = list(Clinic.objects.all()[:2])
    return clinics[0] if len(clinics) == 1 else None


def pages_in(language: str) -> list[Page]:
    """Every page once, in `language` or else in British English, in the order of reading."""
    query = Page.objects.filter(language__in={language, Language.BRITISH_ENGLISH})
    by_key: dict[str, Page] = {}
    for page in query.select_related("procedure"):
        if page.key not in by_key or page.language == language:
            by_key[page.key] = page
    return sorted(by_key.values(), key=lambda page: (page.procedure.name, page.position))


def guides(language: str) -> list[Guide]:
    """The guide of each procedure that has pages, by the procedure's name."""
    by_procedure: dict[Procedure, list[Page]] = {}
    for page in pages_in(language):
        by_procedure.setdefault(page.procedure, []).append(page)
    return [Guide(procedure, pages) for procedure, pages in by_procedure.items()]


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
    query = page.sections.prefetch_related("facts__sources", "disagreements")
    values = clinic_values(clinic) if clinic else {}
    own = own_words([page], clinic)
    return [_section(row, values, own.get((page.pk, row.key))) for row in query]


def own_words(pages: Iterable[Page], clinic: Clinic | None) -> dict[tuple[Any, str], ClinicWords]:
    """What `clinic` wrote in place of the catalogue's words, by page and key of the section. One query."""
    if clinic is None:
        return {}
    rows = ClinicWords.objects.in_force().filter(clinic=clinic, page__in=list(pages))
    return {(row.page_id, row.section_key): row for row in rows}


def read_with(section: PageSection, words: ClinicWords | None, clinic: Clinic) -> Section:
    """A section as readers of `clinic` would get it in these words, which need not be stored."""
    return _section(section, clinic_values(clinic), words)


def _section(
    section: PageSection, values: dict[str, str], own: ClinicWords | None = None
) -> Section:
    text = own or section
    known = {name: value for name, value in values.items() if value}
    missing = placeholders_in(text.body) - known.keys()
    filled = {name: as_markdown(value) for name, value in known.items()}
    body = fill(text.body, filled | {name: _ask(name) for name in missing})
    return Section(
        key=section.key,
        heading=text.heading,
        html=mark_safe(to_html(body)),  # noqa: S308 - HTML is switched off in the renderer
        facts=sorted(section.facts.all(), key=lambda fact: fact.key),
        open_points=_open(section.disagreements.all(), known),
        is_own=own is not None,
    )


def _open(points: Iterable[Disagreement], values: dict[str, str]) -> list[Disagreement]:
    return [point for point in points if f"settled:{point.key}" not in values]


def _ask(name: str) -> str:
    return _("*Ask your surgeon.*") if name.startswith("settled:") else _("*Ask your clinic.*")
