"""Why a reminder is there, went, waits or stayed, in words for its reader. Staff see the codes beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from procedures.models import Step, Unit
from reminders.models import Decision, Reminder

# Every reason of `Reminder.reason` and every gate of `Decision.gate`.
REASONS: Mapping[str, str | Promise] = {
    "patient_deceased": gettext_lazy("Everything that was planned was stopped."),
    "no_contact": gettext_lazy("The clinic was asked to send no mail."),
    "episode_closed": gettext_lazy("This treatment is closed."),
    "account_closed": gettext_lazy("The account was closed."),
    "access_ended": gettext_lazy("Access to this record had ended."),
    "appointment_off": gettext_lazy("The visit does not take place, or is over."),
    "not_for_this_patient": gettext_lazy("It does not apply any more."),
    "already_done": gettext_lazy("It was marked as done."),
    "switched_off": gettext_lazy("Mails of this kind are switched off in the settings."),
    "address_suppressed": gettext_lazy("Mail to this address did not arrive before."),
    "too_old": gettext_lazy("It could not be sent in time."),
    "too_late": gettext_lazy("Its day was already past when the plan was made."),
    "late_repeat": gettext_lazy("Its day was already past when the plan was made."),
    "portal_only": gettext_lazy("Its day was already past, so it is shown here and not mailed."),
    "sending_window": gettext_lazy("We send no mail at night."),
    "daily_cap": gettext_lazy("Enough mails had gone out that day."),
    "dropped_from_plan": gettext_lazy("The plan changed."),
    "overtaken": gettext_lazy("A newer message took its place."),
    "stopped_by_staff": gettext_lazy("The clinic took it out of the plan."),
    "text_incomplete": gettext_lazy("A part of its text was missing. The clinic can see this."),
    "fault": gettext_lazy("Something went wrong on our side. The clinic can see this."),
    "refused": gettext_lazy("The mail server at your address refused it."),
    "no_such_address": gettext_lazy("The mail server at your address does not know the address."),
    "mail_server": gettext_lazy("The mail server at your address was busy; we try again."),
    "server_busy": gettext_lazy("The mail server at your address was busy; we try again."),
    "lease_ran_out": gettext_lazy("Sending was interrupted; we try again."),
    "all_gates": gettext_lazy("Nothing spoke against it."),
}

# Not a reader's business: the plan was worked out anew, and another row took this one's place.
SILENT = frozenset({"dropped_from_plan", "overtaken", "access_ended"})

_EVENTS: Mapping[str, str | Promise] = {
    "decision": gettext_lazy("the day the operation was decided on"),
    "admission": gettext_lazy("the day of coming into hospital"),
    "surgery": gettext_lazy("the day of surgery"),
    "discharge": gettext_lazy("the day of going home"),
    "quit": gettext_lazy("the day of stopping smoking"),
    "appointment": gettext_lazy("the visit"),
}
# Milestones are named by each pathway; to a reader they are all the clinician's word.
_MILESTONE = gettext_lazy("the day your clinician says that you are ready")

_ATTRIBUTES: Mapping[tuple[str, Any], str | Promise] = {
    ("audience", "adult"): gettext_lazy("for adults"),
    ("audience", "child"): gettext_lazy("for children"),
    ("uses_nicotine", True): gettext_lazy("for people who smoke or use nicotine"),
    ("uses_nicotine", False): gettext_lazy("for people who do not smoke"),
    ("drives", True): gettext_lazy("for people who drive"),
    ("drives", False): gettext_lazy("for people who do not drive"),
    ("job", "none"): gettext_lazy("for people without paid work"),
    ("job", "desk"): gettext_lazy("for people who work at a desk"),
    ("job", "on_feet"): gettext_lazy("for people who work on their feet"),
    ("job", "heavy"): gettext_lazy("for people with heavy work"),
    ("lives_alone", True): gettext_lazy("for people who live alone"),
    ("lives_alone", False): gettext_lazy("for people who live with others"),
    ("cares_for_others", True): gettext_lazy("for people who care for others"),
    ("cares_for_others", False): gettext_lazy("for people who care for nobody else"),
    ("uses_wheelchair", True): gettext_lazy("for people who use a wheelchair"),
    ("uses_wheelchair", False): gettext_lazy("for people who do not use a wheelchair"),
}


def reason(code: str) -> str:
    """A reason or a gate in words; for one that has none, a sentence that is true of all."""
    return str(REASONS.get(code, _("The clinic can tell you more.")))


def event(anchor: str) -> str:
    """The event that a step counts from, in words."""
    return str(_EVENTS.get(anchor, _MILESTONE))


def rule(step: Step) -> str:
    """When a step comes, in words: “6 weeks before the day of surgery”."""
    amount, name = abs(step.offset_value), event(step.anchor)
    if amount == 0:
        return _("On %(event)s") % {"event": name}
    values = {"amount": _amount(amount, step.offset_unit), "event": name}
    if step.offset_value < 0:
        return _("%(amount)s before %(event)s") % values
    return _("%(amount)s after %(event)s") % values


def repetition(step: Step) -> str:
    """How a step comes again, in words; empty for one that comes once."""
    days = step.repeat_every_days
    if days is None:
        return ""
    if days % 7 == 0:
        weeks = days // 7
        return ngettext("It comes every week.", "It comes every %(n)d weeks.", weeks) % {"n": weeks}
    return ngettext("It comes every day.", "It comes every %(n)d days.", days) % {"n": days}


def audience(step: Step) -> list[str]:
    """For whom a step is, in words, one for each thing that its condition names."""
    return [
        str(_ATTRIBUTES[name, value])
        for name, value in _wanted(step.condition)
        if (name, value) in _ATTRIBUTES
    ]


def decision(row: Decision) -> str:
    """One entry of a reminder's log in words."""
    if row.outcome == Decision.Outcome.SEND:
        return _("Sent.")
    words = {
        Decision.Outcome.WAIT: _("Put off: %(why)s"),
        Decision.Outcome.SKIP: _("Left out: %(why)s"),
        Decision.Outcome.CANCEL: _("Taken out: %(why)s"),
        Decision.Outcome.MISS: _("Not sent: %(why)s"),
        Decision.Outcome.FAIL: _("Not sent: %(why)s"),
    }
    return words[Decision.Outcome(row.outcome)] % {"why": reason(row.gate)}


def state(row: Reminder) -> str:
    """Where a reminder stands, in words."""
    if row.state == Reminder.State.SENT:
        return _("It was sent to you by email.")
    if row.is_open:
        return _("It is planned, and will be sent to you by email.")
    return _("It was not sent to you by email. %(why)s") % {"why": reason(row.reason)}


def _amount(amount: int, unit: str) -> str:
    words = {
        Unit.DAYS: ngettext("%(n)d day", "%(n)d days", amount),
        Unit.WEEKS: ngettext("%(n)d week", "%(n)d weeks", amount),
        Unit.MONTHS: ngettext("%(n)d month", "%(n)d months", amount),
        Unit.YEARS: ngettext("%(n)d year", "%(n)d years", amount),
    }
    return words[Unit(unit)] % {"n": amount}


def _wanted(condition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in condition.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, one
