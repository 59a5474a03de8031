"""What an event of the audit trail was, in words for staff, who have to know more exactly than the patient."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from patients.trail import BY_ACTION, WORDS
from portal.models import AuditEvent

# Before the words that patients read, which are less exact.
_FOR_STAFF: Mapping[str, str | Promise] = {
    "access.denied": _("asked for this and was refused"),
    "alert.acknowledge": _("acknowledged an alert"),
    "alert.escalate": _("told whoever is on call of an alert"),
    "alert.raise": _("raised an alert"),
    "alert.resolve": _("closed an alert"),
    "alert.view": _("looked at an alert"),
    "appointment.missed": _("noted that nobody came to a visit"),
    "appointment.view": _("looked at a visit"),
    "auditevent.export": _("took the audit trail away as a file"),
    "checkin.view": _("looked at a check-in"),
    "emergency.open": _("opened the record in an emergency, from another clinic"),
    "emergency.review": _("looked at an access in an emergency"),
    "emergency.view": _("read the record in an emergency"),
    "episode.override": _("chose otherwise than was proposed when a date moved"),
    "episode.view": _("looked at an operation"),
    "hold.lift": _("let the plan go on"),
    "hold.place": _("stopped a part of the plan"),
    "imaging_request.release": _("let the patient read an X-ray result"),
    "imaging_request.result": _("wrote an X-ray result"),
    "import.": _("worked on a list that was brought in"),
    "invitation.accept": _("accepted the invitation"),
    "invitation.send": _("sent an invitation"),
    "invitation.wrong_birth_date": _("gave a wrong date of birth for an invitation"),
    "message.view": _("read a message as it was sent"),
    "my_data.download": _("took their data away as a file"),
    "pathway_version.": _("worked on a pathway"),
    "patient.deceased": _("recorded a death"),
    "patient.mark_deceased": _("recorded a death"),
    "patient.view": _("opened the record"),
    "preference.": _("changed which reminders come"),
    "prescription.copy": _("copied exercises from another operation"),
    "reminder.view": _("looked at a reminder"),
    "role.give": _("gave a role"),
    "role.take": _("took a role away"),
    "sample.send": _("sent a sample mail to themselves"),
    "sending.off": _("stopped all sending"),
    "sending.on": _("let sending start again"),
    "stepresponse.view": _("looked at a question"),
    "suppression.lift": _("let mail go to an address again"),
    "suppression.view": _("looked at a closed address"),
    "task.claim": _("took a task in hand"),
    "task.give_back": _("gave a task back"),
    "task.resolve": _("resolved a task"),
    "task.view": _("looked at a task"),
    "user.": _("changed a login"),
}
# What a verb's last word says, where nothing says it better.
_BY_ENDING: Mapping[str, str | Promise] = {
    "list": _("saw a list"),
    "export": _("took a list away as a file"),
    "read": _("read a page of the portal"),
}


def for_staff(event: AuditEvent) -> str:
    """What happened, for staff: which page was read, and what exactly was done."""
    noun, ending = event.verb.partition(".")[0] + ".", event.verb.rpartition(".")[2]
    exact = _FOR_STAFF.get(event.verb) or WORDS.get(event.verb)
    by_noun = _FOR_STAFF.get(noun) or WORDS.get(noun)
    return str(exact or _BY_ENDING.get(ending) or by_noun or BY_ACTION[event.action])


def verbs_meant(words: str) -> list[str]:
    """The verbs whose words hold what somebody typed, in the language in force."""
    wanted = words.strip().casefold()
    known = {**WORDS, **_FOR_STAFF}
    return [
        key
        for key, said in known.items()
        if wanted in str(said).casefold() and not key.endswith(".")
    ]
