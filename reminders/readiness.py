"""Whether somebody is ready for surgery: one table of what must be seen to first. Reads only.

To add an item: a function that says of annotated rows whether it is done, and its line in ITEMS.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from patients.models import (
    AnchorDate,
    Appointment,
    AppointmentKind,
    ConsentDecision,
    RelatedPerson,
)
from portal.models import Invitation
from procedures.models import ConsentForm
from reminders.models import Suppression

SOON = timedelta(days=14)


class Item(NamedTuple):
    """One thing to be seen to before surgery. `is_done` reads a row of `operations`."""

    key: str
    label: str | Promise
    is_done: Callable[[Any], bool]


def operations(
    episodes: QuerySet, today: date, *, between: tuple[date, date] | None = None
) -> QuerySet:
    """The days of surgery of these episodes, with what readiness depends on; within 14 days unless said. One query."""
    assessed = Appointment.objects.filter(
        episode=OuterRef("episode"), kind=AppointmentKind.PRE_ASSESSMENT, status="fulfilled"
    )
    stopped = AnchorDate.objects.filter(episode=OuterRef("episode"), anchor="quit", on__lte=today)
    accepted = Invitation.objects.filter(
        user=OuterRef("episode__patient__user"), accepted_at__isnull=False
    )
    closed = Suppression.objects.filter(
        lifted_at=None, address=OuterRef("episode__patient__user__email")
    )
    rows = AnchorDate.objects.filter(
        anchor="surgery", on__range=between or (today, today + SOON), episode__in=episodes,
        episode__patient__deceased_on=None,
    )  # fmt: skip
    return rows.select_related(
        "episode__patient__clinic", "episode__patient__user", "episode__procedure"
    ).annotate(
        is_assessed=Exists(assessed), has_stopped=Exists(stopped), has_accepted=Exists(accepted),
        is_closed=Exists(closed), has_carer=Exists(_carers(today)), has_consented=Exists(_consents()),
        asks_consent=Exists(_forms()),
    )  # fmt: skip


def _carers(today: date) -> QuerySet:

    return RelatedPerson.objects.filter(
        patient=OuterRef("episode__patient"), user__last_login__isnull=False
    ).live(today)


def _forms() -> QuerySet:
    """What the clinic asks to be signed."""
    return ConsentForm.objects.filter(clinic=OuterRef("episode__patient__clinic"), status="active")


def _consents() -> QuerySet:
    """What was signed for the episode and not withdrawn since."""
    decided = ConsentDecision.objects.filter(episode=OuterRef("episode"))
    later = decided.filter(
        form__key=OuterRef("form__key"), decision="withdrawn", decided_at__gt=OuterRef("decided_at")
    )
    return decided.filter(~Exists(later), decision="given")


def _is_smoke_free(row: Any) -> bool:
    return row.has_stopped or not row.episode.patient.uses_nicotine


def _is_in_contact(row: Any) -> bool:
    """Mail can arrive, and the patient or somebody who cares for them has been here or accepted."""
    user = row.episode.patient.user
    has_been_here = user is not None and (user.last_login is not None or row.has_accepted)
    return row.has_carer or (has_been_here and not row.is_closed)


ITEMS = (
    Item("consent", gettext_lazy("consent"), lambda row: row.has_consented or not row.asks_consent),
    Item("assessment", gettext_lazy("check before surgery"), lambda row: row.is_assessed),
    Item("smoke_free", gettext_lazy("smoke-free"), _is_smoke_free),
    Item("contact", gettext_lazy("contact confirmed"), _is_in_contact),
)
LABELS = {item.key: item.label for item in ITEMS}


def lacking(row: Any) -> list[str]:
    """The keys of what is not seen to yet."""
    return [item.key for item in ITEMS if not item.is_done(row)]
