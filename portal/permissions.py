"""Who may do what: one declared table of rights and roles, one of pages, and the predicates that read them.

A right is `noun.verb`; the noun is the model's name. A right that is not in the table raises
KeyError, so that a slip of the pen can neither open nor close anything. Nobody holds a right to
remove a record: there is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models

from portal.models import Clinic, PractitionerRole, Role

if TYPE_CHECKING:
    from portal.models import User

Rows = TypeVar("Rows", bound="models.QuerySet[Any]")

M, S, N, P, R, C, A = (
    Role.MANAGER, Role.SURGEON, Role.NURSE, Role.PHYSIOTHERAPIST, Role.RADIOGRAPHER, Role.CLERK, Role.AUDITOR,
)  # fmt: skip
NOBODY: frozenset[Role] = frozenset()
EVERYONE = frozenset(Role)
CARE = EVERYONE - {A}
CLINICIANS = frozenset({S, N, P})

# The operator (a superuser) holds every right that at least one role holds.
RIGHTS: Mapping[str, frozenset[Role]] = {
    # --- the clinic ---
    "today.view": EVERYONE,
    "task.view": CARE,
    "task.add": NOBODY,
    "task.change": NOBODY,
    "task.claim": CARE,
    "task.give_back": CARE,
    "task.resolve": CARE,
    "user.view": frozenset({M, A}),
    "user.add": frozenset({M}),
    "user.change": frozenset({M}),
    "user.invite": frozenset({M}),
    "practitionerrole.view": frozenset({M, A}),
    "practitionerrole.add": frozenset({M}),
    "practitionerrole.change": NOBODY,
    "clinic.view": EVERYONE,
    "clinic.add": NOBODY,
    "clinic.change": frozenset({M}),
    "location.view": EVERYONE,
    "location.add": frozenset({M}),
    "location.change": frozenset({M}),
    "invitation.view": frozenset({M, N, C, A}),
    "invitation.add": NOBODY,
    "invitation.change": NOBODY,
    "auditevent.view": frozenset({M, A}),
    "auditevent.add": NOBODY,
    "auditevent.change": NOBODY,
    "auditevent.export": frozenset({M, A}),
    "sendingswitch.view": EVERYONE,
    "sendingswitch.stop": frozenset({M, S, N}),
    "sendingswitch.start": frozenset({M}),
    # --- records ---
    "patient.view": EVERYONE,
    "patient.add": frozenset({M, C}),
    "patient.change": frozenset({M, N, C}),
    "patient.invite": frozenset({M, N, C}),
    "patient.export": frozenset({M}),
    "patient.merge": frozenset({M}),
    "merge.view": frozenset({M, A}),
    "patient.mark_deceased": frozenset({M, S, N}),
    "emergencyaccess.view": frozenset({M, A}),
    "emergencyaccess.add": frozenset({M, *CLINICIANS, R}),
    "emergencyaccess.review": frozenset({M}),
    "importbatch.view": frozenset({M, C}),
    "importbatch.add": frozenset({M, C}),
    "importbatch.enter": frozenset({M, C}),
    "importbatch.undo": frozenset({M, C}),
    "relatedperson.view": EVERYONE,
    "relatedperson.add": frozenset({M, N, C}),
    "relatedperson.change": NOBODY,
    "relatedperson.end": frozenset({M, N, C}),
    "relatedperson.renew": frozenset({M, N}),
    "episode.view": EVERYONE,
    "episode.add": frozenset({M, S, C}),
    "episode.change": NOBODY,
    "episode.export": frozenset({M}),
    "episode.move": frozenset({M, S, C}),
    "episode.set_date": frozenset({M, S, N, C}),
    "episode.confirm_milestone": frozenset({M, S, N, P}),
    "episode.follow_version": frozenset({M, S}),
    "episode.cancel": frozenset({M, S, C}),
    "episode.finish": frozenset({M, S, N}),
    "appointment.view": CARE,
    "appointment.add": frozenset({M, N, P, R, C}),
    "appointment.change": NOBODY,
    "appointment.export": frozenset({M, R}),
    "appointment.move": frozenset({M, N, P, R, C}),
    "appointment.cancel": frozenset({M, N, P, R, C}),
    "appointment.record_outcome": frozenset({M, N, P, R, C}),
    "moverequest.answer": frozenset({M, N, P, R, C}),
    "imagingrequest.view": CARE,
    "imagingrequest.add": NOBODY,
    "imagingrequest.change": NOBODY,
    "imagingrequest.book": frozenset({M, N, R, C}),
    "imagingrequest.record_result": frozenset({M, S, R}),
    "imagingrequest.release": frozenset({M, S, R}),
    "stepresponse.view": frozenset({M, *CLINICIANS}),
    "stepresponse.reply": frozenset({M, *CLINICIANS}),
    "note.view": CARE,
    "note.add": CARE,
    "note.change": NOBODY,
    "hold.view": CARE,
    "hold.add": frozenset({M, S, N, P}),
    "hold.change": NOBODY,
    "hold.lift": frozenset({M, S, N, P}),
    "checkin.view": frozenset({M, *CLINICIANS}),
    "checkin.add": NOBODY,
    "checkin.change": NOBODY,
    "alert.view": frozenset({M, *CLINICIANS}),
    "alert.add": NOBODY,
    "alert.change": NOBODY,
    "alert.acknowledge": frozenset({M, *CLINICIANS}),
    "alert.resolve": frozenset({M, *CLINICIANS}),
    "prescription.view": frozenset({M, *CLINICIANS}),
    "prescription.add": frozenset({P}),
    "prescription.change": NOBODY,
    "prescription.copy": frozenset({P}),
    "prescription.end": frozenset({P}),
    "exerciselog.view": frozenset({M, *CLINICIANS}),
    "slip.view": frozenset({M, *CLINICIANS}),
    "consentdecision.view": frozenset({M, C, *CLINICIANS}),
    "exerciselog.add": NOBODY,
    "exerciselog.change": NOBODY,
    # --- reminders ---
    "reminder.view": CARE,
    "reminder.add": NOBODY,
    "reminder.change": NOBODY,
    "reminder.export": frozenset({M}),
    "reminder.send_now": frozenset({M, N, C}),
    "reminder.stop": frozenset({M, S, N, P}),
    "message.view": frozenset({M, C, *CLINICIANS}),
    "message.add": NOBODY,
    "message.change": NOBODY,
    "message.export": frozenset({M}),
    "suppression.view": frozenset({M, N, C}),
    "suppression.lift": frozenset({M, N, C}),
    "sendingchannel.view": frozenset({M, A}),
    # --- catalogue ---
    "source.view": EVERYONE,
    "procedure.view": EVERYONE,
    "fact.view": EVERYONE,
    "exercise.view": EVERYONE,
    "page.view": EVERYONE,
    "page.change": frozenset({M, S}),
    "disagreement.view": EVERYONE,
    "disagreement.resolve": frozenset({M, S}),
    "resolution.view": EVERYONE,
    "slot.view": EVERYONE,
    "slot.fill": frozenset({M}),
    "slotvalue.view": EVERYONE,
    "consentform.view": EVERYONE,
    "consentform.add": frozenset({M}),
    "consentform.publish": frozenset({M}),
    "pathway.view": EVERYONE,
    "pathwayversion.view": EVERYONE,
    "pathwayversion.add": frozenset({M, S}),
    "pathwayversion.change": NOBODY,
    "pathwayversion.approve": frozenset({M, S}),
    "step.view": EVERYONE,
    "step.change": NOBODY,
    "steptext.view": EVERYONE,
    "steptext.change": frozenset({M, S}),
}

# The staff pages beside the lists, by the name of their address in the admin, and the right each asks for.
PAGES: Mapping[str, str] = {
    "sending": "sendingswitch.view",
    "patient_page": "patient.view",
    "patient_add": "patient.add",
    "patient_edit": "patient.change",
    "patient_invite": "patient.invite",
    "patient_deceased": "patient.mark_deceased",
    "carer_add": "relatedperson.add",
    "carer_end": "relatedperson.end",
    "carer_renew": "relatedperson.renew",
    "carer_invite": "patient.invite",
    "episode_book": "episode.add",
    "episode_move": "episode.move",
    "episode_date": "episode.set_date",
    "episode_done": "episode.set_date",
    "episode_milestone": "episode.confirm_milestone",
    "episode_version": "episode.follow_version",
    "version_move": "episode.follow_version",
    "simulator": "pathwayversion.view",
    "version_sample": "pathwayversion.view",
    "patient_timeline": "patient.view",
    "patient_note": "note.add",
    "suppression_lift": "suppression.lift",
    "sending_channels": "sendingchannel.view",
    "sending_outlook": "sendingswitch.start",
    "caseload": "prescription.view",
    "clinic_day": "episode.move",
    "episode_simulate": "reminder.view",
    "version_preview": "pathwayversion.view",
    "version_mail": "pathwayversion.view",
    "episode_postpone": "episode.move",
    "episode_hold": "hold.add",
    "hold_lift": "hold.lift",
    "episode_cancel": "episode.cancel",
    "episode_finish": "episode.finish",
    "appointment_book": "appointment.add",
    "appointment_move": "appointment.move",
    "wish_answer": "moverequest.answer",
    "appointment_cancel": "appointment.cancel",
    "appointment_attended": "appointment.record_outcome",
    "appointment_missed": "appointment.record_outcome",
    "xrays": "imagingrequest.view",
    "consent_forms": "consentform.view",
    "consent_form": "consentform.view",
    "consent_form_new": "consentform.add",
    "consent_form_change": "consentform.add",
    "alert_page": "alert.view",
    "alert_acknowledge": "alert.acknowledge",
    "alert_resolve": "alert.resolve",
    "xray_book": "imagingrequest.book",
    "worklist": "task.view",
    "task_claim": "task.claim",
    "task_give_back": "task.give_back",
    "task_resolve": "task.resolve",
    "question_answer": "stepresponse.reply",
    "xray_result": "imagingrequest.record_result",
    "xray_release": "imagingrequest.release",
    "xrays_day": "imagingrequest.book",
    "episode_prescribe": "prescription.add",
    "episode_copy_exercises": "prescription.copy",
    "prescription_end": "prescription.end",
    "reminder_send_now": "reminder.send_now",
    "reminder_stop": "reminder.stop",
    "message_page": "message.view",
    "message_html": "message.view",
    "user_invite": "user.invite",
    "user_roles": "practitionerrole.add",
    "user_close": "user.change",
    "user_sign_ins": "user.view",
    "user_end_sessions": "user.change",
    "user_reset_factor": "user.change",
    "audit_chain": "auditevent.view",
    "patient_merge": "patient.merge",
    "merges": "merge.view",
    "emergency": "emergencyaccess.add",
    "emergency_record": "emergencyaccess.add",
    "emergencies": "emergencyaccess.view",
    "emergency_review": "emergencyaccess.review",
    "imports": "importbatch.view",
    "imports_empty_list": "importbatch.view",
    "import_page": "importbatch.view",
    "import_progress": "importbatch.view",
    "import_columns": "importbatch.add",
    "import_row": "importbatch.add",
    "import_enter": "importbatch.enter",
    "import_undo": "importbatch.undo",
}

# How a row of each model leads to its clinic.
CLINIC_PATHS: Mapping[str, str] = {
    "clinic": "pk",
    "location": "clinic",
    "invitation": "clinic",
    "auditevent": "clinic",
    "practitionerrole": "clinic",
    "user": "roles__clinic",
    "patient": "clinic",
    "importbatch": "clinic",
    "merge": "clinic",
    "emergencyaccess": "clinic",
    "relatedperson": "patient__clinic",
    "episode": "patient__clinic",
    "appointment": "episode__patient__clinic",
    "moverequest": "appointment__episode__patient__clinic",
    "imagingrequest": "episode__patient__clinic",
    "stepresponse": "episode__patient__clinic",
    "checkin": "episode__patient__clinic",
    "alert": "patient__clinic",
    "task": "clinic",
    "note": "patient__clinic",
    "hold": "episode__patient__clinic",
    "prescription": "episode__patient__clinic",
    "exerciselog": "prescription__episode__patient__clinic",
    "reminder": "episode__patient__clinic",
    "message": "clinic",
    "consentdecision": "episode__patient__clinic",
    "consentform": "clinic",
    "pathwayversion": "clinic",
    "resolution": "clinic",
    "slotvalue": "clinic",
}


def roles_of(user: User | AnonymousUser) -> Mapping[UUID, frozenset[str]]:
    """The roles a member of staff holds, by clinic. One query for each request's user."""
    if not (user.is_authenticated and user.is_active and user.is_staff):
        return {}
    if "_roles_by_clinic" not in user.__dict__:
        held: dict[UUID, set[str]] = defaultdict(set)
        rows = PractitionerRole.objects.filter(user_id=user.pk)
        zones = set()
        for clinic_id, role, zone in rows.values_list("clinic_id", "role", "clinic__time_zone"):
            held[clinic_id].add(role)
            zones.add(zone)
        user.__dict__["_roles_by_clinic"] = {key: frozenset(roles) for key, roles in held.items()}
        user.__dict__["_clinic_zones"] = zones
    known: Mapping[UUID, frozenset[str]] = user.__dict__["_roles_by_clinic"]
    return known


def working_zone(user: User) -> str:
    """The time zone in which a member of staff reads lists: their own, or that of all their clinics; else empty."""
    roles_of(user)
    zones = user.__dict__.get("_clinic_zones", set())
    return user.time_zone or (next(iter(zones)) if len(zones) == 1 else "")


def is_operator(user: User | AnonymousUser) -> bool:
    """Whether this is the operator's account, which belongs to every clinic."""
    return bool(user.is_active and user.is_staff and user.is_superuser)


def is_member_of_staff(user: User | AnonymousUser) -> bool:
    """Whether `user` may open the staff admin at all: the operator, or someone with a role at a clinic."""
    return is_operator(user) or bool(roles_of(user))


def may(user: User | AnonymousUser, right: str, clinic: Clinic | UUID | None = None) -> bool:
    """Whether `user` holds `right` at `clinic`; without a clinic, at any. Raises KeyError for an unknown right."""
    allowed = RIGHTS[right]
    if is_operator(user):
        return bool(allowed)
    held = roles_of(user)
    if clinic is None:
        return any(allowed & roles for roles in held.values())
    key = clinic.pk if isinstance(clinic, Clinic) else clinic
    return bool(allowed & held.get(key, frozenset()))


def may_open(user: User | AnonymousUser, page: str) -> bool:
    """Whether `user` may open a staff page at any clinic. Raises KeyError for an undeclared page."""
    return may(user, PAGES[page])


def clinics_where(user: User | AnonymousUser, right: str) -> models.QuerySet[Clinic]:
    """The clinics at which `user` holds `right`."""
    if is_operator(user):
        return Clinic.objects.all() if RIGHTS[right] else Clinic.objects.none()
    return Clinic.objects.filter(
        pk__in=[key for key, roles in roles_of(user).items() if RIGHTS[right] & roles]
    )


def within(queryset: Rows, user: User | AnonymousUser, right: str) -> Rows:
    """The rows of `queryset` at the clinics where `user` holds `right`; none, where that is nowhere.

    What a member of staff may see as a patient or as a carer is for their own login, not for the admin.
    """
    path = CLINIC_PATHS[queryset.model._meta.model_name or ""]
    if is_operator(user):
        return queryset if RIGHTS[right] else queryset.none()
    keys = [key for key, roles in roles_of(user).items() if RIGHTS[right] & roles]
    if path == "roles__clinic":
        return queryset.filter(
            pk__in=PractitionerRole.objects.filter(clinic__in=keys).values("user")
        )
    return queryset.filter(**{f"{path}__in": keys})
