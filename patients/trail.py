"""What an event of the audit trail was, in words for the person whose record it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.models import AuditEvent

Action = AuditEvent.Action
# By the whole verb, or by its noun alone with a dot at the end; the whole verb comes first.
WORDS: Mapping[str, str | Promise] = {
    "alert.acknowledge": _("saw that you reported a warning sign"),
    "alert.resolve": _("wrote down what was done about a warning sign"),
    "appointment.attended": _("noted that a visit took place"),
    "appointment.book": _("booked a visit"),
    "appointment.cancel": _("called a visit off"),
    "appointment.confirm": _("confirmed a visit"),
    "appointment.missed": _("noted that a visit did not take place"),
    "appointment.move": _("moved a visit"),
    "calendar_feed.": _("changed the calendar link"),
    "carer.ask_to_end": _("asked the clinic to end somebody's access"),
    "carer.end": _("ended a parent's or carer's access"),
    "carer.link": _("gave a parent or carer access"),
    "carer.renew": _("renewed a parent's or carer's access"),
    "carer.withdraw_asking": _("took back the wish to end somebody's access"),
    "check_in.send": _("sent a check-in"),
    "consent.": _("decided about a consent"),
    "email_change.": _("asked for another email address"),
    "emergency.open": _("opened the record in an emergency, from another clinic"),
    "episode.close": _("closed a treatment"),
    "episode.follow_version": _("moved the plan to a newer version"),
    "episode.override": _("changed the plan"),
    "episode.open": _("planned a treatment"),
    "episode.set_anchor": _("set a date of the treatment"),
    "exercise.": _("ticked off exercises"),
    "hold.": _("changed the plan"),
    "imaging_request.": _("wrote about an X-ray"),
    "move_request.answer": _("answered the wish to move a visit"),
    "move_request.ask": _("asked to move a visit"),
    "move_request.withdraw": _("took back the wish to move a visit"),
    "note.write": _("wrote a note"),
    "patient.mark_deceased": _("recorded a death"),
    "patient.merge": _("joined two records of the same person"),
    "patient.register": _("added the record"),
    "patient.set_email": _("changed the email address"),
    "patient.update": _("changed the details of the record"),
    "prescription.add": _("prescribed an exercise"),
    "prescription.end": _("ended an exercise"),
    "question.reply": _("answered a question"),
    "reminder.send_now": _("sent a reminder early"),
    "reminder.stop": _("took a reminder out of the plan"),
    "slip.": _("noted a slip with smoking"),
    "smoke_free.plan": _("changed the plan to stop smoking"),
    "step.": _("answered a step of the plan"),
}
BY_ACTION: Mapping[str, str | Promise] = {
    Action.READ: _("opened the record"),
    Action.CREATE: _("added something"),
    Action.UPDATE: _("changed something"),
    Action.DELETE: _("took something back"),
    Action.EXECUTE: _("carried something out"),
}


class Told(Protocol):
    """What an event is told by."""

    @property
    def action(self) -> str:
        """A letter of AuditEvent.Action."""

    @property
    def verb(self) -> str:
        """What was done to what."""


def what(event: Told) -> str:
    """What happened, as plainly as its verb can be put; where there are no words for it, what sort of thing it was."""
    noun = event.verb.partition(".")[0] + "."
    if noun == "emergency." and event.verb != "emergency.review":
        return str(WORDS["emergency.open"])
    if event.action == Action.READ:
        return str(BY_ACTION[Action.READ])
    return str(WORDS.get(event.verb) or WORDS.get(noun) or BY_ACTION[event.action])
