"""Where each consent of an episode stands, in a reader's language. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from django.db.models import CharField, Exists, OuterRef, QuerySet, UUIDField
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from patients.care import Care
from patients.models import ConsentDecision, Episode
from patients.querysets import ConsentDecisionQuerySet
from portal.prepared import Blank, Listed, prepared
from procedures.markdown import to_html
from procedures.models import Audience, ConsentForm
from procedures.question_wording import in_language
from procedures.wording import CLINIC

Decision = ConsentDecision.Decision
AUDIENCE = Blank("audience", CharField())
EPISODES = Listed("episodes", UUIDField())


@dataclass(frozen=True)
class Standing:
    """One consent of one episode: the version that is published, and what was decided, the latest first.

    `care` is whose page it stands on; None on pages of staff.
    """

    episode: Episode
    form: ConsentForm
    language: str
    decisions: Sequence[ConsentDecision] = field(default_factory=tuple)
    care: Care | None = None

    @cached_property
    def title(self) -> str:
        """The title of the published version."""
        return str(self.form.words[self.language]["title"])

    @property
    def html(self) -> SafeString:
        """Its text."""
        return mark_safe(to_html(self.form.words[self.language]["body"]))  # noqa: S308 - HTML is switched off

    @property
    def digest(self) -> str:
        """What a decision has to name, to show that it is about this text."""
        return self.form.digest(self.language)

    @cached_property
    def last(self) -> ConsentDecision | None:
        """The latest decision; a question decides nothing."""
        return next((row for row in self.decisions if row.decision != Decision.QUESTION), None)

    @cached_property
    def question(self) -> ConsentDecision | None:
        """A question after which nothing was decided."""
        newest = next(iter(self.decisions), None)
        return newest if newest is not None and newest.decision == Decision.QUESTION else None

    @cached_property
    def is_given(self) -> bool:
        """Whether it is signed, in whatever version."""
        return self.last is not None and self.last.decision == Decision.GIVEN

    @property
    def signed_by(self) -> str:
        """The name that was typed, as far as the reader may know it; empty where nothing is signed."""
        if self.last is None or not self.is_given:
            return ""
        is_known = self.care is None or self.care.knows(self.last.by_id)
        return self.last.signed_name if is_known else _("Another parent or carer")

    @property
    def is_outdated(self) -> bool:
        """Whether what was signed is an earlier version."""
        return self.is_given and self.last is not None and self.last.form_id != self.form.pk

    @cached_property
    def waits(self) -> bool:
        """Whether somebody still has to read and decide."""
        return self.last is None or self.last.decision == Decision.NOT_YET or self.is_outdated


def standings_of(
    episodes: Collection[Episode], language: str, today: date, care: Care | None = None
) -> list[Standing]:
    """Every published consent of these episodes, which are of one patient. Two queries."""
    episodes = list(episodes)
    if not episodes:
        return []
    patient = episodes[0].patient
    audience = Audience.CHILD if patient.is_child_on(today) else Audience.ADULT
    forms = _published(clinic=patient.clinic_id, audience=audience)
    made: dict[tuple[object, str], list[ConsentDecision]] = defaultdict(list)
    for row in _decisions(episodes=[row.pk for row in episodes]):
        made[row.episode_id, row.form.key].append(row)
    return [
        Standing(
            episode, form, in_language(form.words, language)[0], made[episode.pk, form.key], care
        )
        for form in forms
        for episode in episodes
    ]


@prepared
def _published() -> QuerySet[Any, ConsentForm]:
    rows = ConsentForm.objects.filter(clinic=CLINIC, status=ConsentForm.Status.ACTIVE)
    return rows.filter(audience__in=[Audience.ANY, AUDIENCE]).order_by("key")


@prepared
def _decisions() -> QuerySet[Any, ConsentDecision]:
    return ConsentDecision.objects.filter(episode__in=EPISODES).select_related("by", "form")


def open_questions(rows: ConsentDecisionQuerySet) -> ConsentDecisionQuerySet:
    """The questions among `rows` after which nothing was decided or asked."""
    later = ConsentDecision.objects.filter(
        episode=OuterRef("episode"),
        form__key=OuterRef("form__key"),
        decided_at__gt=OuterRef("decided_at"),
    )
    return rows.filter(~Exists(later), decision=Decision.QUESTION)
