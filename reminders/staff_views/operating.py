"""How sending goes, for staff: paused channels, each day's balance, what would go, closed addresses, samples."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from patients.models import Patient
from portal import audit, clock, mail
from portal.models import AuditEvent, Clinic, SendingSwitch
from portal.permissions import within
from portal.staff_forms import ReasonForm
from portal.staff_site import page, staff_of
from procedures.models import Category
from reminders import actions, reasons
from reminders.models import DailyBalance, SendingChannel, Suppression
from reminders.outlook import outlook as expected
from reminders.staff_views.previews import draft_or_404
from reminders.staff_views.records import attempted, is_sent

DAYS_SHOWN = timedelta(days=14)


@require_safe
def channels(request: HttpRequest) -> HttpResponse:
    """Which mail servers refuse us for now, and where the reminders of the last days have got to."""
    today = clock.today()
    days = DailyBalance.objects.filter(
        day__gte=today - DAYS_SHOWN, clinic__in=Clinic.objects.visible_to(request.user)
    )
    return page(
        request, "admin/reminders/channels.html", _("How sending goes"), today=today,
        channels=SendingChannel.objects.filter(~Q(reason="") | Q(paused_until__isnull=False)),
        days=days.select_related("clinic").order_by("-day", "clinic__name"),
    )  # fmt: skip


@require_safe
def outlook(request: HttpRequest) -> HttpResponse:
    """What would go within the next hour if sending were on: to be read before it is switched on again."""
    found = expected(now=clock.now())
    labels = dict(Category.choices)
    return page(
        request, "admin/reminders/outlook.html", _("What would go in the next hour"), outlook=found,
        switch=SendingSwitch.current(), going=len(found.going),
        categories=[(labels[key], n) for key, n in found.by_category.most_common()],
        held=[(reasons.for_staff(gate), n) for gate, n in found.held_back.most_common()],
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def suppression_lift(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let mail go to an address again, once somebody knows that it works."""
    row = _suppression_or_404(request, pk)
    form = ReasonForm(request.POST or None)
    if is_sent(request, form) and (answer := attempted(form, lambda: _lift(request, row, form))):
        return answer
    intro = _(
        "Mail to %(address)s was stopped: %(why)s From now on it is tried again; what failed is not repeated."
    )
    words = {"address": row.address, "why": row.response or reasons.for_staff(row.reason)}
    return page(
        request, "admin/form.html", _("Let mail go to %(address)s again") % {"address": row.address},
        form=form, intro=intro % words, button=_("Let mail go again"),
        back_url=reverse("admin:reminders_suppression_changelist"),
    )  # fmt: skip


def _lift(request: HttpRequest, row: Suppression, form: ReasonForm) -> HttpResponse:
    lifted = actions.lift_suppression(
        suppression=row, by=staff_of(request), now=clock.now(), reason=form.cleaned_data["reason"]
    )
    if lifted:
        messages.success(request, _("Mail goes to this address again."))
    else:
        messages.info(request, _("This was done already; nothing was done twice."))
    return redirect("admin:reminders_suppression_changelist")


def _suppression_or_404(request: HttpRequest, pk: UUID) -> Suppression:
    """A closed address of somebody at a clinic where the person may lift it; the read is noted. Raises Http404."""
    row = get_object_or_404(Suppression, pk=pk)
    rows = within(Patient.objects.visible_to(request.user), request.user, "suppression.lift")
    theirs = Q(user__email=row.address) | Q(related_people__user__email=row.address)
    patients = list(rows.filter(theirs).select_related("clinic").distinct())
    if not patients:
        raise Http404
    for patient in patients:
        audit.note_read(
            request, "suppression.view", obj=row, clinic=patient.clinic, patient_id=patient.pk
        )
    return row


@require_POST
def sample(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send one mail of a version to oneself, made out to the invented patient of the preview."""
    draft, user = draft_or_404(request, pk), staff_of(request)
    wanted = (request.POST.get("step"), request.POST.get("language"))
    found = next((row for row in draft.mails() if (row.step.key, row.language) == wanted), None)
    if found is None:
        raise Http404
    answer = mail.send(_sample_mail(found, user.email))
    audit.record(
        AuditEvent.Action.EXECUTE, "sample.send", by=user, obj=draft.version, clinic=draft.version.clinic,
        after={"step": found.step.key, "language": found.language, "answer": answer.response[:200]},
    )  # fmt: skip
    if answer.outcome is mail.Outcome.SENT:
        messages.success(
            request, _("The sample is on its way to %(address)s.") % {"address": user.email}
        )
    else:
        messages.error(
            request, _("The mail server did not take it: %(why)s") % {"why": answer.response}
        )
    return redirect("admin:version_preview", pk)


def _sample_mail(found: Any, address: str) -> mail.Mail:
    subject = _("Sample: %(subject)s") % {"subject": found.subject}
    return mail.Mail(to=address, subject=subject, text=found.text, html=found.html)


PAGES = (
    ("channels/", channels, "sending_channels"),
    ("sending/outlook/", outlook, "sending_outlook"),
    ("addresses/<uuid:pk>/lift/", suppression_lift, "suppression_lift"),
    ("version/<uuid:pk>/sample/", sample, "version_sample"),
)
