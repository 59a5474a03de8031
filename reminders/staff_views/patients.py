"""One patient on one screen, and what is recorded about a patient: adding, correcting, inviting, carers, death."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from patients import actions
from patients.forms import CarerForm, DeceasedForm, NewPatient, PatientDetails, RenewForm
from patients.models import Episode, Patient, RelatedPerson
from portal import actions as portal_actions
from portal import clock
from portal.models import User
from portal.permissions import clinics_where
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import page, staff_of
from reminders.models import Reminder
from reminders.reconciler import reconcile
from reminders.staff_record import record_of
from reminders.staff_views.merging import merged_into
from reminders.staff_views.records import (
    attempted,
    carer_or_404,
    done,
    is_sent,
    patient_or_404,
    patient_url,
    today_at,
)


@require_safe
def patient_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Everything about one patient, and the ways to act. A record that was merged leads to the one that goes on."""
    try:
        patient = patient_or_404(request, pk, "patient.view")
    except Http404:
        if went_on := merged_into(request, pk):
            return redirect("admin:patient_page", went_on)
        raise
    return page(
        request,
        "admin/reminders/patient.html",
        patient.name,
        **record_of(patient, staff_of(request)),
    )


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Add a patient. A child's carers are linked next."""
    clinics = clinics_where(request.user, "patient.add")
    form = NewPatient(request.POST or None, clinics=clinics, initial=_defaults(clinics.first()))
    if is_sent(request, form) and (answer := attempted(form, lambda: _register(request, form))):
        return answer
    return page(
        request, "admin/form.html", _("Add a patient"), form=form, button=_("Add the patient"),
        back_url=reverse("admin:patients_patient_changelist"),
    )  # fmt: skip


def _defaults(clinic: Any) -> dict[str, Any]:
    return {"language": clinic.language} if clinic else {}


def _register(request: HttpRequest, form: NewPatient) -> HttpResponse:
    values, now, by = form.cleaned_data, clock.now(), staff_of(request)
    if not form.act_once():
        return redirect("admin:patients_patient_changelist")
    patient = actions.register_patient(
        clinic=values["clinic"], by=by, now=now, email=values["email"], language=values["language"],
        **form.recorded,
    )  # fmt: skip
    if values["invite"] and patient.user and not patient.user.has_usable_password():
        portal_actions.invite(user=patient.user, clinic=patient.clinic, by=by, now=now)
    return _after_adding(request, patient)


def _after_adding(request: HttpRequest, patient: Patient) -> HttpResponse:
    response = done(request, patient, _("%(name)s is added.") % {"name": patient.name})
    if patient.is_child_on(today_at(patient)):
        return redirect("admin:carer_add", patient.pk)
    return response


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Correct what is recorded. Open plans follow."""
    patient = patient_or_404(request, pk, "patient.change")
    form = PatientDetails(request.POST or None, initial=_recorded(patient))
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _update(request, patient, form))
    ):
        return answer
    return page(
        request, "admin/form.html", _("Correct the record of %(name)s") % {"name": patient.name}, patient=patient,
        form=form, button=_("Save"), back_url=patient_url(patient),
    )  # fmt: skip


def _recorded(patient: Patient) -> dict[str, Any]:
    values = {
        name: getattr(patient, name)
        for name in PatientDetails.base_fields
        if hasattr(patient, name)
    }
    return values | {"email": patient.user.email if patient.user else ""}


def _update(request: HttpRequest, patient: Patient, form: PatientDetails) -> HttpResponse:
    _refuse_taken_number(patient, form.cleaned_data["record_number"])
    by, now = staff_of(request), clock.now()
    actions.update_patient(patient=patient, by=by, now=now, **form.recorded)
    if form.cleaned_data["email"]:
        actions.set_email(patient=patient, email=form.cleaned_data["email"], by=by, now=now)
    _plan_again(patient)
    return done(request, patient, _("The record is corrected; open plans follow it."))


def _refuse_taken_number(patient: Patient, number: str) -> None:
    same = Patient.objects.filter(clinic_id=patient.clinic_id, record_number=number)
    if same.exclude(pk=patient.pk).exists():
        raise ValidationError({"record_number": _("Another patient has this record number.")})


def _plan_again(patient: Patient) -> None:
    """Bring open plans up to date at once, so that the page shows what was decided."""
    for episode in Episode.objects.for_planning().filter(patient=patient):
        reconcile(episode, now=clock.now())


@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Invite the patient to set up a login."""
    patient = patient_or_404(request, pk, "patient.invite")
    if patient.user is None:
        return done(request, patient, _("The patient has no email address yet. Add one first."))
    return _invite(request, patient, patient.user)


@require_http_methods(["GET", "POST"])
def carer_invite(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Invite a parent or carer to set up a login."""
    link = carer_or_404(request, pk, "patient.invite")
    get_object_or_404(link.patient.related_people.live(today_at(link.patient)), pk=link.pk)
    return _invite(request, link.patient, link.user)


def _invite(request: HttpRequest, patient: Patient, user: User) -> HttpResponse:
    form = ConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            is_first = form.act_once()
            if is_first:
                portal_actions.invite(
                    user=user, clinic=patient.clinic, by=staff_of(request), now=clock.now()
                )
        return done(request, patient, _("The invitation is on its way."), is_first=is_first)
    intro = _(
        "A mail with a link to set up the login goes to %(email)s. Earlier links stop working."
    )
    return page(
        request, "admin/form.html", _("Invite %(name)s") % {"name": user}, form=form, patient=patient,
        intro=intro % {"email": user.email}, button=_("Send the invitation"), back_url=patient_url(patient),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def carer_add(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give a parent or carer access to the record."""
    patient = patient_or_404(request, pk, "relatedperson.add")
    form = CarerForm(request.POST or None)
    if form.was_sent_before:
        return done(request, patient, "", is_first=False)
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _link(request, patient, form))
    ):
        return answer
    return page(
        request, "admin/form.html", _("Add a parent or carer of %(name)s") % {"name": patient.name}, patient=patient,
        form=form, button=_("Give access"), back_url=patient_url(patient),
    )  # fmt: skip


def _link(request: HttpRequest, patient: Patient, form: CarerForm) -> HttpResponse:
    values, is_first = form.cleaned_data, form.act_once()
    if is_first:
        by, now = staff_of(request), clock.now()
        names = ("email", "name", "relationship", "scope", "ends_on")
        link = actions.link_carer(
            patient=patient, by=by, now=now, **{name: values[name] for name in names}
        )
        if values["invite"] and not link.user.has_usable_password():
            portal_actions.invite(user=link.user, clinic=patient.clinic, by=by, now=now)
        _plan_again(patient)
    words = _("The carer has access now; the plan follows.")
    return done(request, patient, words, is_first=is_first, part="people")


@require_http_methods(["GET", "POST"])
def carer_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a carer's access from this moment on."""
    link = carer_or_404(request, pk, "relatedperson.end")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            actions.end_carer(
                link=link, by=staff_of(request), now=clock.now(), reason=form.cleaned_data["reason"]
            )
            _plan_again(link.patient)
        return done(request, link.patient, _("The access has ended."), part="people")
    return page(
        request, "admin/form.html", _("End the access of %(name)s") % {"name": link.user}, form=form,
        patient=link.patient, intro=_("From this moment on they see nothing of the record and get no mail about it."),
        button=_("End the access"), danger=True, back_url=patient_url(link.patient),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def carer_renew(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a carer's access go on beyond the day on which it would end."""
    link = carer_or_404(request, pk, "relatedperson.renew")
    form = RenewForm(request.POST or None)
    if is_sent(request, form) and (answer := attempted(form, lambda: _renew(request, link, form))):
        return answer
    return page(
        request, "admin/form.html", _("Renew the access of %(name)s") % {"name": link.user}, form=form,
        patient=link.patient,
        intro=_("A child's carers see the record until the 16th birthday. Ask the young person first."),
        button=_("Renew the access"), back_url=patient_url(link.patient),
    )  # fmt: skip


def _renew(request: HttpRequest, link: RelatedPerson, form: RenewForm) -> HttpResponse:
    is_first = form.act_once()
    if is_first:
        actions.renew_access(
            link=link, ends_on=form.cleaned_data["ends_on"], by=staff_of(request), now=clock.now(),
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
        _plan_again(link.patient)
    words = _("The access goes on until then.")
    return done(request, link.patient, words, is_first=is_first, part="people")


@require_http_methods(["GET", "POST"])
def deceased(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record that a patient died. Everything that is planned stops at once."""
    patient = patient_or_404(request, pk, "patient.mark_deceased")
    form = DeceasedForm(request.POST or None, patient=patient)
    if is_sent(request, form) and (
        answer := attempted(form, lambda: _deceased(request, patient, form))
    ):
        return answer
    waiting = Reminder.objects.filter(episode__patient=patient).open().count()
    intro = _(
        "Every reminder about this patient stops at once, to everybody. Still planned: %(n)d."
    )
    return page(
        request, "admin/form.html", _("Record that %(name)s has died") % {"name": patient.name}, form=form,
        patient=patient,
        intro=intro % {"n": waiting}, button=_("Record and stop everything"), danger=True,
        back_url=patient_url(patient),
    )  # fmt: skip


def _deceased(request: HttpRequest, patient: Patient, form: DeceasedForm) -> HttpResponse:
    actions.mark_deceased(
        patient=patient, on=form.cleaned_data["on"], by=staff_of(request), now=clock.now()
    )
    _plan_again(patient)
    return done(request, patient, _("It is recorded. Everything that was planned has stopped."))


PAGES = (
    ("patient/add/", add, "patient_add"),
    ("patient/<uuid:pk>/", patient_page, "patient_page"),
    ("patient/<uuid:pk>/edit/", edit, "patient_edit"),
    ("patient/<uuid:pk>/invite/", invite, "patient_invite"),
    ("patient/<uuid:pk>/deceased/", deceased, "patient_deceased"),
    ("patient/<uuid:pk>/carers/add/", carer_add, "carer_add"),
    ("carer/<uuid:pk>/end/", carer_end, "carer_end"),
    ("carer/<uuid:pk>/renew/", carer_renew, "carer_renew"),
    ("carer/<uuid:pk>/invite/", carer_invite, "carer_invite"),
)
