"""Why a reminder is there, went, waits or stayed: in words for its reader, and in words for staff.

The one place that puts the codes of gates, planner, pacing and bounces into words. A test walks
every code that can be written and fails on one that has no words here.
"""

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
    "paused": gettext_lazy("You had paused your mails."),
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
    "in_doubt": gettext_lazy("Sending was interrupted; we try again."),
    "lease_ran_out": gettext_lazy("Sending was interrupted; we try again."),
    "plan_changing": gettext_lazy("The plan changed just then; it is looked at again."),
    "changed_meanwhile": gettext_lazy("The plan changed just then; it is looked at again."),
    "channel_stopped": gettext_lazy("We could not send any mail just then; we try again."),
    "domain_slowed": gettext_lazy(
        "The mail server at your address asked us to wait; we try again."
    ),
    "paced": gettext_lazy("Many mails were on their way; it goes as soon as it is its turn."),
    "bounced": gettext_lazy("It was sent, but could not be delivered to your address."),
    "delayed": gettext_lazy("It was sent; the mail server at your address is slow to deliver it."),
    "complained": gettext_lazy("You told your mail provider that it was not wanted."),
    "already_sent": gettext_lazy("It was sent before."),
    "all_gates": gettext_lazy("Nothing spoke against it."),
}

# The same codes for staff: what the machine found, and where a person is needed, what to do.
STAFF: Mapping[str, str | Promise] = {
    "patient_deceased": gettext_lazy("The patient has died: everything planned was stopped."),
    "no_contact": gettext_lazy("The record is marked “no contact”: no mail of any kind is sent."),
    "episode_closed": gettext_lazy("The episode is finished or cancelled."),
    "account_closed": gettext_lazy("The recipient’s account is deactivated."),
    "access_ended": gettext_lazy("The carer’s access to this patient had ended or not begun."),
    "appointment_off": gettext_lazy("The appointment is not booked any more."),
    "not_for_this_patient": gettext_lazy(
        "The step’s condition does not hold for this patient any more."
    ),
    "already_done": gettext_lazy("It was marked as done before it was due."),
    "switched_off": gettext_lazy(
        "The recipient has switched this category off, and the step is not essential."
    ),
    "paused": gettext_lazy("The recipient has paused their mails, and the step is not essential."),
    "address_suppressed": gettext_lazy(
        "Mail to this address bounced before. Ask for another address."
    ),
    "too_old": gettext_lazy(
        "It could not be sent while it was still valid. Check whether the patient needs a call."
    ),
    "too_late": gettext_lazy(
        "Its moment was past when the plan was made, and the step is left out when late."
    ),
    "late_repeat": gettext_lazy(
        "A later occurrence of the same step was due already; only that one is sent late."
    ),
    "portal_only": gettext_lazy(
        "Its moment was past when the plan was made; it is shown in the web login only."
    ),
    "sending_window": gettext_lazy("Outside the sending window, by the recipient’s clock."),
    "daily_cap": gettext_lazy("The recipient had as many mails that day as the clinic allows."),
    "dropped_from_plan": gettext_lazy(
        "A change of dates, steps or people took it out of the plan."
    ),
    "overtaken": gettext_lazy("A newer notice replaced it before it was sent."),
    "stopped_by_staff": gettext_lazy("A member of staff took it out of the plan for good."),
    "text_incomplete": gettext_lazy(
        "A text or a value is missing. Fill it in, then send it by hand or call."
    ),
    "fault": gettext_lazy("It could not be put into words because of a fault. Tell the operator."),
    "refused": gettext_lazy(
        "The mail server refused this mail for good. Reach the patient another way."
    ),
    "no_such_address": gettext_lazy(
        "The address does not exist; nothing more is sent there. Ask for another address."
    ),
    "mail_server": gettext_lazy("The mail server did not take it just then; it is tried again."),
    "server_busy": gettext_lazy("The mail server did not take it just then; it is tried again."),
    "in_doubt": gettext_lazy(
        "The connection was lost before the mail server’s answer came. It may have arrived; it is "
        "sent again with the same Message-ID."
    ),
    "plan_changing": gettext_lazy(
        "Something changed a moment ago; it waits until the plan is worked out again."
    ),
    "lease_ran_out": gettext_lazy(
        "The worker that held it stopped; it is tried again with the same Message-ID."
    ),
    "changed_meanwhile": gettext_lazy(
        "The plan or the record changed while it was on its way; it is looked at again."
    ),
    "channel_stopped": gettext_lazy(
        "The mail server refuses our login or TLS: no mail leaves. Tell the operator."
    ),
    "domain_slowed": gettext_lazy(
        "The recipient’s mail servers asked for less mail; it waits for them."
    ),
    "paced": gettext_lazy("It waits its turn under the limit on mails a second."),
    "bounced": gettext_lazy(
        "It was sent and came back: the address does not take mail. Ask for another address."
    ),
    "delayed": gettext_lazy(
        "It was sent; the recipient’s mail server reports a delay and is still trying."
    ),
    "complained": gettext_lazy(
        "The recipient told the mail provider that it was not wanted; this category is switched off for them."
    ),
    "already_sent": gettext_lazy("It has been sent, and is not sent again."),
    "all_gates": gettext_lazy("No gate objected."),
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


def for_staff(code: str, value: str = "") -> str:
    """A reason or a gate in words for staff, with the value that decided where there is one."""
    words = str(STAFF.get(code, code))
    return f"{words} ({value})" if value else words


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
