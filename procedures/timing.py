"""When a step comes and for whom, in words, and as a place on the line of weeks. Pure: no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from procedures.approval import resolved_offset
from procedures.models import Step, Unit
from procedures.offsets import Offset

ANCHORS = {
    "decision": gettext_lazy("the decision"),
    "admission": gettext_lazy("coming into hospital"),
    "surgery": pgettext_lazy("what a step counts from", "surgery"),
    "discharge": gettext_lazy("going home"),
    "quit": gettext_lazy("the last cigarette"),
    "appointment": gettext_lazy("the visit"),
}
CONDITIONS = {
    ("audience", "adult"): gettext_lazy("adults"),
    ("audience", "child"): gettext_lazy("children"),
    ("uses_nicotine", True): gettext_lazy("who smoke or use nicotine"),
    ("uses_nicotine", False): gettext_lazy("who do not smoke"),
    ("drives", True): gettext_lazy("who drive"),
    ("drives", False): gettext_lazy("who do not drive"),
    ("job", "none"): gettext_lazy("without paid work"),
    ("job", "desk"): gettext_lazy("with a desk job"),
    ("job", "on_feet"): gettext_lazy("with a job on their feet"),
    ("job", "heavy"): gettext_lazy("with heavy work"),
    ("lives_alone", True): gettext_lazy("who live alone"),
    ("lives_alone", False): gettext_lazy("who live with others"),
    ("cares_for_others", True): gettext_lazy("who care for others"),
    ("cares_for_others", False): gettext_lazy("who care for nobody else"),
    ("uses_wheelchair", True): gettext_lazy("who use a wheelchair"),
    ("uses_wheelchair", False): gettext_lazy("who use no wheelchair"),
}
WEEKDAYS = (
    gettext_lazy("Mon"), gettext_lazy("Tue"), gettext_lazy("Wed"), gettext_lazy("Thu"),
    gettext_lazy("Fri"), gettext_lazy("Sat"), gettext_lazy("Sun"),
)  # fmt: skip
WEEKS_IN = {Unit.DAYS: 1 / 7, Unit.WEEKS: 1.0, Unit.MONTHS: 52.18 / 12, Unit.YEARS: 52.18}
# Weeks from surgery at which an event stands in a picture, which has no dates. A clinic's own dates
# differ: such steps are drawn hollow.
USUAL_WEEKS = {"decision": -8.0, "admission": 0.0, "surgery": 0.0, "discharge": 5 / 7, "quit": -6.0}


@dataclass(frozen=True, slots=True)
class Span:
    """Weeks from surgery of a step's first and last occurrence; `is_exact` where it counts from surgery."""

    first: float
    last: float
    is_exact: bool


def when(step: Step, slots: Mapping[str, str]) -> str:
    """The moment of a step in words, such as “6 weeks before surgery, 09:00, every 7 days, 5 times”.

    `slots` are the clinic's values by key; where one is missing the words say that the clinic sets it.
    """
    parts = [_distance(step, slots), f"{step.at:%H:%M}", *_repetition(step)]
    if step.window_days:
        days = step.window_days
        parts.append(ngettext("open for %(n)s day", "open for %(n)s days", days) % {"n": days})
    return ", ".join(parts)


def for_whom(step: Step) -> str:
    """Whom a step is for, in words: “everyone”, or “who drive, with a desk job”."""
    found = []
    for name, wanted in sorted(step.condition.items()):
        values = wanted if isinstance(wanted, list) else [wanted]
        words = (str(CONDITIONS.get((name, value), f"{name}: {value}")) for value in values)
        found.append(_(" or ").join(words))
    return ", ".join(found) or _("everyone")


def _distance(step: Step, slots: Mapping[str, str]) -> str:
    offset = offset_of(step, slots)
    anchor = anchor_name(step.anchor)
    if offset is None:
        if step.offset_value < 0:
            return _("weeks set by the clinic, before %(event)s") % {"event": anchor}
        return _("weeks set by the clinic, after %(event)s") % {"event": anchor}
    if offset.value == 0:
        return _("on the day of %(anchor)s") % {"anchor": anchor}
    values = {"amount": amount(offset), "event": anchor}
    if offset.value < 0:
        return _("%(amount)s before %(event)s") % values
    return _("%(amount)s after %(event)s") % values


def amount(offset: Offset) -> str:
    """How long an offset is, in words, such as “6 weeks”."""
    n = abs(offset.value)
    words = {
        Unit.DAYS: ngettext("%(n)s day", "%(n)s days", n),
        Unit.WEEKS: ngettext("%(n)s week", "%(n)s weeks", n),
        Unit.MONTHS: ngettext("%(n)s month", "%(n)s months", n),
        Unit.YEARS: ngettext("%(n)s year", "%(n)s years", n),
    }
    return words[Unit(offset.unit)] % {"n": n}


def anchor_name(anchor: str) -> str:
    """What an anchor is called, such as “going home”; a milestone by its own name."""
    known = ANCHORS.get(anchor)
    return str(known) if known else anchor.partition(":")[2].replace("_", " ")


def offset_of(step: Step, slots: Mapping[str, str]) -> Offset | None:
    """The step's offset; None while it waits for a slot. An approved step has its own number."""
    if step.offset_slot is None or not step.version.is_draft:
        return Offset(step.offset_value, step.offset_unit)
    return resolved_offset(step, slots) if slots.get(step.offset_slot.key) else None


def _repetition(step: Step) -> list[str]:
    every = step.repeat_every_days
    if not every:
        return []
    days = ", ".join(str(WEEKDAYS[day]) for day in step.repeat_weekdays)
    how_often = days or ngettext("every %(n)s day", "every %(n)s days", every) % {"n": every}
    if step.repeat_count:
        return [how_often, _("%(n)s times") % {"n": step.repeat_count}]
    until = Offset(step.repeat_until_value or 0, step.repeat_until_unit)
    anchor = anchor_name(step.repeat_until_anchor or step.anchor)
    words = {"amount": amount(until), "anchor": anchor}
    return [how_often, _("until %(amount)s after %(anchor)s") % words]


def span(step: Step, slots: Mapping[str, str]) -> Span | None:
    """Where a step stands on the line of weeks; None for one that counts from a visit or an empty slot."""
    offset, start = offset_of(step, slots), USUAL_WEEKS.get(step.anchor)
    if offset is None or start is None:
        return None
    first = start + in_weeks(offset)
    return Span(first, max(first, _last(step, first)), step.anchor == "surgery")


def _last(step: Step, first: float) -> float:
    if step.window_days:
        return first + step.window_days / 7
    if step.repeat_every_days and step.repeat_count:
        return first + step.repeat_every_days * (step.repeat_count - 1) / 7
    if step.repeat_until_value is not None:
        start = USUAL_WEEKS.get(step.repeat_until_anchor or step.anchor, 0.0)
        return start + in_weeks(Offset(step.repeat_until_value, step.repeat_until_unit))
    return first


def in_weeks(offset: Offset) -> float:
    """An offset in weeks; months and years by their mean length."""
    return offset.value * WEEKS_IN[Unit(offset.unit)]
