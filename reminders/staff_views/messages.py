"""One message as it was sent, with the reasons why; and one reminder sent now, or stopped."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from csp.decorators import csp
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from portal import clock
from portal.staff_forms import ConfirmForm, ReasonForm
from portal.staff_site import page, staff_of
from portal.views import MAIL_POLICY, mail_page
from reminders import actions, emails, reasons
from reminders.gates import Verdict
from reminders.models import Message, Reminder
from reminders.outlook import of_one
from reminders.staff_plan import title_of
from reminders.staff_views.records import (
    done,
    message_or_404,
    patient_url,
    reminder_or_404,
)


@require_safe
def message_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A message as it was sent: both parts, headers, attempts, the server's last word, and why it went."""
    message = message_or_404(request, pk, "message.view")
    rows = message.reminders.select_related("step", "episode__patient", "episode__procedure")
    rows = rows.prefetch_related("step__texts", "decisions").order_by("due_at", "id")
    return page(
        request, "admin/reminders/message.html", message.subject, message=message, headers=_headers(message),
        reminders=[_with_log(row, message.clinic.language) for row in rows],
    )  # fmt: skip


def _headers(message: Message) -> list[tuple[str, str]]:
    return [
        ("To", message.to_address),
        ("Subject", message.subject),
        ("Message-ID", message.message_id),
        *sorted(message.headers.items()),
    ]


def _with_log(row: Reminder, language: str) -> dict[str, Any]:
    return {
        "reminder": row,
        "title": title_of(row.step, language)
        if row.step
        else str(row.get_kind_display()).capitalize(),
        "rule": reasons.rule(row.step) if row.step else "",
        "log": [(entry, reasons.decision(entry)) for entry in row.decisions.all()],
    }


@require_safe
@xframe_options_sameorigin
@csp(MAIL_POLICY)  # type: ignore[arg-type]  # its types know no arguments from the address
def message_html(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The HTML part by itself, for a frame without any rights."""
    response = mail_page(message_or_404(request, pk, "message.view").html)
    # The mail's own policy stands: it is not loosened as other pages of the admin are.
    response.__dict__["_csp_update"] = {}
    return response


@require_http_methods(["GET", "POST"])
def send_now(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a reminder go with the next tick."""
    row = reminder_or_404(request, pk, "reminder.send_now")
    form = ConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _act(
            request,
            row,
            form,
            _("It goes out within a minute, if nothing speaks against it."),
            send=True,
        )
    return _form(
        request, row, form, _("Send now"),
        _("It goes out at once instead of at its time. Opt-outs, closed addresses and quiet hours still count."),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def stop(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take one reminder out of the plan for good."""
    row = reminder_or_404(request, pk, "reminder.stop")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _act(request, row, form, _("It is taken out of the plan."), send=False)
    return _form(request, row, form, _("Stop this reminder"), _("Planning does not bring it back."))


def _act(request: HttpRequest, row: Reminder, form: Any, words: str, *, send: bool) -> HttpResponse:
    patient = row.episode.patient
    if form.was_sent_before:
        return done(request, patient, "", is_first=False, part="plan")
    try:
        with transaction.atomic():
            form.act_once()
            if send:
                actions.send_now(reminder=row, by=staff_of(request), now=clock.now())
            else:
                reason = form.cleaned_data["reason"]
                actions.stop(reminder=row, by=staff_of(request), now=clock.now(), reason=reason)
    except ValidationError as error:
        form.refuse(error)
        return _form(request, row, form, _("Send now") if send else _("Stop this reminder"), "")
    return done(request, patient, words, part="plan")


def _form(request: HttpRequest, row: Reminder, form: Any, button: str, intro: str) -> HttpResponse:
    """Whom it goes to and in which words, what would become of it now, and the button."""
    patient, now = row.episode.patient, clock.now()
    title = title_of(row.step, patient.clinic.language) if row.step else str(row.get_kind_display())
    expected = of_one(row, now) if not isinstance(form, ReasonForm) else None
    return page(
        request, "admin/reminders/one_reminder.html", f"{button}: {title}", form=form, button=button, intro=intro,
        danger=isinstance(form, ReasonForm), back_url=patient_url(patient, "plan"), reminder=row, words=_words(row),
        patient=patient, episode=row.episode, expected=expected,
        verdict=_because(expected.verdict) if expected else "",
    )  # fmt: skip


def _because(verdict: Verdict) -> str:
    """What stands in the way, in words; until when it would wait is said beside it."""
    return reasons.for_staff(verdict.gate, "" if verdict.until else verdict.value)


def _words(row: Reminder) -> emails.Item | None:
    """What it says, in its reader's language; None while something in it is not filled in."""
    try:
        return emails.Writer().item(row)
    except emails.Unwritable:
        return None


PAGES = (
    ("message/<uuid:pk>/", message_page, "message_page"),
    ("message/<uuid:pk>/html/", message_html, "message_html"),
    ("reminder/<uuid:pk>/send/", send_now, "reminder_send_now"),
    ("reminder/<uuid:pk>/stop/", stop, "reminder_stop"),
)
