"""Changes to the guide at one clinic: its own words for a section, and back to the catalogue's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from portal import audit
from portal.models import AuditEvent, Clinic
from procedures.markdown import faults
from procedures.models import ClinicWords, Disagreement, Page, PageSection, Slot
from procedures.wording import placeholders_in

if TYPE_CHECKING:
    from portal.models import User

LONGEST_HEADING, LONGEST_BODY = 120, 5_000


class WordsRefused(ValidationError):
    """Words cannot be taken; the message says why, at the field it is about."""


@transaction.atomic
def write_words(
    *,
    section: PageSection,
    clinic: Clinic,
    heading: str,
    body: str,
    seen: int,
    by: User,
    now: datetime,
) -> ClinicWords:
    """Let readers of `clinic` get these words in place of the catalogue's. `now` is an aware moment.

    `seen` is the number of the row that the writer had before them, 0 for none: what somebody else
    wrote in between is not overwritten. Raises WordsRefused.
    """
    heading, body = " ".join(heading.split()), body.replace("\r\n", "\n").strip()
    refuse_unfit(heading, body)
    old = _lock(section, clinic, seen)
    if old and (old.kind, old.heading, old.body) == (ClinicWords.Kind.OWN, heading, body):
        raise WordsRefused(_("Nothing has changed."))
    return _add(section, clinic, old, ClinicWords.Kind.OWN, heading, body, by=by, now=now)


@transaction.atomic
def return_to_catalogue(
    *, section: PageSection, clinic: Clinic, seen: int, by: User, now: datetime
) -> ClinicWords:
    """Let readers of `clinic` get the catalogue's words of a section again. Raises WordsRefused."""
    old = _lock(section, clinic, seen)
    if old is None or old.kind != ClinicWords.Kind.OWN:
        raise WordsRefused(_("Readers get the catalogue's words already."))
    return _add(section, clinic, old, ClinicWords.Kind.BACK, by=by, now=now)


def overwrite(*, section: PageSection, old: ClinicWords, now: datetime) -> ClinicWords:
    """End a clinic's own words because a forced load took the catalogue's side."""
    kind = ClinicWords.Kind.OVERWRITTEN
    return _add(section, old.clinic, old, kind, by=None, now=now)


def refuse_unfit(heading: str, body: str) -> None:
    """Raise WordsRefused for words that the guide cannot show: empty, too long, with HTML or unknown names."""
    found = {"heading": list(_heading_faults(heading)), "body": list(_body_faults(body))}
    errors = {name: messages for name, messages in found.items() if messages}
    if errors:
        raise WordsRefused(errors)


def _heading_faults(heading: str) -> list[str]:
    if not 1 <= len(heading) <= LONGEST_HEADING:
        return [_("Write between 1 and %(n)s letters.") % {"n": LONGEST_HEADING}]
    if placeholders_in(heading) or faults(heading):
        return [_("A heading is plain text.")]
    return []


def _body_faults(body: str) -> list[str]:
    if not 1 <= len(body) <= LONGEST_BODY:
        return [_("Write between 1 and %(n)s letters.") % {"n": LONGEST_BODY}]
    unknown = sorted(placeholders_in(body) - _fillable())
    messages = [_("There is no such placeholder: {%(name)s}.") % {"name": name} for name in unknown]
    if faults(body):
        messages.append(_("HTML, pictures and unusual links are not allowed: %(what)s.") % {
            "what": ", ".join(faults(body))
        })  # fmt: skip
    return messages


def _fillable() -> set[str]:
    """The placeholders that a page can fill: what a clinic settles and what it puts into slots."""
    points = Disagreement.objects.values_list("key", flat=True)
    slots = Slot.objects.values_list("key", flat=True)
    return {f"settled:{key}" for key in points} | {f"slot:{key}" for key in slots}


def _lock(section: PageSection, clinic: Clinic, seen: int) -> ClinicWords | None:
    """The last row of the section at the clinic, with the page locked against a second writer."""
    Page.objects.select_for_update().get(pk=section.page_id)
    rows = ClinicWords.objects.filter(page=section.page_id, section_key=section.key, clinic=clinic)
    old = rows.order_by("-number").first()
    if seen != (old.number if old else 0):
        raise WordsRefused(_("Somebody else has changed these words since you opened them."))
    return old


def _add(
    section: PageSection,
    clinic: Clinic,
    old: ClinicWords | None,
    kind: str,
    heading: str = "",
    body: str = "",
    *,
    by: User | None,
    now: datetime,
) -> ClinicWords:
    row = ClinicWords.objects.create(
        page_id=section.page_id, section_key=section.key, clinic=clinic, kind=kind, heading=heading,
        body=body, number=old.number + 1 if old else 1, instead_of=section.body, written_by=by,
        written_at=now,
    )  # fmt: skip
    audit.record(
        AuditEvent.Action.UPDATE,
        f"guide.words_{kind}",
        by=by,
        obj=row,
        clinic=clinic,
        before={"heading": old.heading, "body": old.body} if old and old.body else {},
        after={"section": f"{section.page.key}, {section.key}", "heading": heading, "body": body},
    )
    return row
