"""The frame of the staff admin: the sidebar, grouped by work, and what stands on every page.

The sidebar shows what a person may open, and nothing else.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from portal.models import SendingSwitch
from portal.permissions import is_member_of_staff, may

# Title, icon (Material Symbols), name of the address with what it filters by, right.
Entry = tuple[str, str, str, str]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links for whoever asks; a group without a link is left out."""
    groups = [(title, _allowed(request, entries)) for title, entries in _groups()]
    return [
        {"title": title, "separator": bool(title), "items": items}
        for title, items in groups
        if items
    ]


def style_sheet(request: HttpRequest) -> str:
    """The look of our own pages in the admin."""
    return static("portal/css/staff.css")


def symbol(request: HttpRequest) -> str:
    """The sign that stands for the portal in a browser's tab."""
    return static("portal/app-icon.svg")


def environment(request: HttpRequest) -> list[str] | None:
    """The label in the corner that tells the demo from the real thing."""
    return [_("Demo"), "warning"] if settings.STEPWISE_DEMO else None


def on_every_page(request: HttpRequest) -> dict[str, Any]:
    """Whether sending is stopped, for the banner. One query."""
    return {"sending": SendingSwitch.current()} if is_member_of_staff(request.user) else {}


def _allowed(request: HttpRequest, entries: list[Entry]) -> list[dict[str, Any]]:
    links = []
    for title, icon, name, right in entries:
        if may(request.user, right) and (link := _address(name)):
            links.append({"title": title, "icon": icon, "link": link})
    return links


def _address(name: str) -> str:
    name, mark, query = name.partition("?")
    try:
        return reverse(f"admin:{name}") + mark + query
    except NoReverseMatch:
        return ""


def _groups() -> list[tuple[str, list[Entry]]]:
    return [
        (
            "",
            [
                (_("Today"), "today", "index", "today.view"),
                (_("Worklists"), "task_alt", "worklist", "task.view"),
            ],
        ),
        (_("Patients"), _patients()),
        (_("Appointments and X-rays"), _appointments()),
        (_("Messages"), _messages()),
        (_("Catalogue"), _catalogue()),
        (_("Clinic"), _clinic()),
        (
            _("Audit"),
            _audit(),
        ),
    ]


def _patients() -> list[Entry]:
    return [
        (_("Patients"), "groups", "patients_patient_changelist", "patient.view"),
        (_("Add a patient"), "person_add", "patient_add", "patient.add"),
        (_("In an emergency"), "e911_emergency", "emergency", "emergencyaccess.add"),
        (_("Bring a list in"), "upload_file", "imports", "importbatch.view"),
        (_("Episodes"), "route", "patients_episode_changelist", "episode.view"),
        (_("A clinic's day"), "calendar_today", "clinic_day", "episode.move"),
        (_("Exercises at a glance"), "exercise", "caseload", "prescription.view"),
        (_("Alerts"), "emergency", "patients_alert_changelist", "alert.view"),
        (_("Check-ins"), "monitor_heart", "patients_checkin_changelist", "checkin.view"),
    ]


def _appointments() -> list[Entry]:
    return [
        (
            _("Appointments"),
            "event",
            "patients_appointment_changelist?when=ahead",
            "appointment.view",
        ),
        (_("X-rays to book"), "radiology", "xrays", "imagingrequest.view"),
        (
            _("X-ray requests"),
            "assignment",
            "patients_imagingrequest_changelist",
            "imagingrequest.view",
        ),
    ]


def _messages() -> list[Entry]:
    return [
        (
            _("Reminders"),
            "notifications",
            "reminders_reminder_changelist?when=ahead",
            "reminder.view",
        ),
        (_("Messages sent"), "mail", "reminders_message_changelist", "message.view"),
        (
            _("Addresses not used"),
            "unsubscribe",
            "reminders_suppression_changelist",
            "suppression.view",
        ),
        (_("How sending goes"), "monitoring", "sending_channels", "sendingchannel.view"),
        (_("Sending on or off"), "power_settings_new", "sending", "sendingswitch.view"),
    ]


def _catalogue() -> list[Entry]:
    return [
        (_("Pathways"), "checklist", "procedures_pathwayversion_changelist", "pathwayversion.view"),
        (_("Simulator"), "play_circle", "simulator", "pathwayversion.view"),
        (_("Procedures"), "orthopedics", "procedures_procedure_changelist", "procedure.view"),
        (_("Disagreements"), "balance", "procedures_disagreement_changelist", "disagreement.view"),
        (_("Clinic slots"), "edit_note", "procedures_slot_changelist", "slot.view"),
        (_("Facts"), "fact_check", "procedures_fact_changelist", "fact.view"),
        (_("Sources"), "menu_book", "procedures_source_changelist", "source.view"),
        (_("Consents"), "signature", "consent_forms", "consentform.view"),
        (_("Guide pages"), "article", "procedures_page_changelist", "page.view"),
    ]


def _clinic() -> list[Entry]:
    return [
        (_("Clinics"), "local_hospital", "portal_clinic_changelist", "clinic.view"),
        (_("Places"), "location_on", "portal_location_changelist", "location.view"),
        (_("Staff"), "badge", "portal_user_changelist", "user.view"),
        (_("Invitations"), "outgoing_mail", "portal_invitation_changelist", "invitation.view"),
    ]


def _audit() -> list[Entry]:
    return [
        (_("Audit trail"), "policy", "portal_auditevent_changelist", "auditevent.view"),
        (_("Is it whole?"), "link", "audit_chain", "auditevent.view"),
        (_("Merged records"), "call_merge", "merges", "merge.view"),
        (_("Emergencies"), "key_visualizer", "emergencies", "emergencyaccess.view"),
    ]
