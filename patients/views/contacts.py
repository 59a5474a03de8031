"""How to reach a reader: the phone number, the email address, and the links that confirm another one."""

from __future__ import annotations

from http import HTTPStatus

from django import forms
from django.contrib import messages as notes
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from patients.actions.contacts import (
    ask_email_change,
    confirm_email_change,
    correct_phone,
    open_email_change,
    stop_email_change,
)
from patients.care import care_of, phone_for
from patients.views.access import no_record
from portal import clock, languages
from portal.once import new_ticket


class PhoneForm(forms.Form):
    """The patient's phone number."""

    phone = forms.RegexField(
        r"^[0-9 +()/.-]{5,40}$",
        label=gettext_lazy("Phone number"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        error_messages={
            "invalid": gettext_lazy("Use digits and spaces, for example 01632 960123.")
        },
    )


class EmailForm(forms.Form):
    """Another email address."""

    new_email = forms.EmailField(
        label=gettext_lazy("New email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    ticket = forms.CharField(max_length=32, widget=forms.HiddenInput, initial=new_ticket)


@require_http_methods(["GET", "POST"])
def contact_phone(request: HttpRequest) -> HttpResponse:
    """Correct the patient's phone number. Raises Http404 for a carer who may see visits and reminders alone."""
    care = care_of(request, "contact.read")
    if care.patient is None:
        return no_record(request)
    if not care.has_full_view:
        raise Http404
    shown = phone_for(care)
    is_hidden = bool(care.patient.phone) and not shown
    form = PhoneForm(request.POST or None, initial={"phone": shown})
    # What somebody does not see they must not take away by leaving the box empty.
    form.fields["phone"].required = is_hidden
    if request.method == "POST" and form.is_valid():
        correct_phone(
            patient=care.patient, phone=form.cleaned_data["phone"], by=care.reader, now=care.now
        )
        notes.success(request, _("The phone number is saved."))
        return redirect("reminders:my_data")
    context = {
        "care": care, "form": form, "active": "my_data", "title": _("Phone number"),
        "intro": _("The clinic has a number, which may be another parent's or carer's. We do not show it here. If you "
                   "write one, it takes its place.") if is_hidden else "",
    }  # fmt: skip
    return render(request, "patients/contact.html", context)


@require_http_methods(["GET", "POST"])
def contact_email(request: HttpRequest) -> HttpResponse:
    """Ask for another email address; both addresses are asked."""
    care = care_of(request, "contact.read")
    form = EmailForm(request.POST or None)
    if form.is_valid():
        try:
            ask_email_change(user=care.reader, now=care.now, **form.cleaned_data)
            notes.success(
                request, _("We have written to both addresses. It changes when both have said yes.")
            )
            return redirect("reminders:my_data")
        except ValidationError as error:
            form.add_error("new_email", error.messages)
    context = {
        "care": care, "form": form, "active": "my_data", "title": _("Email address"),
        "intro": _("We write to the old and the new address. It changes when both have said yes. If you cannot "
                   "read mail at the old one any more, call the clinic."),
    }  # fmt: skip
    return render(request, "patients/contact.html", context)


@login_not_required
@require_http_methods(["GET", "POST"])
def email_change(request: HttpRequest, token: str) -> HttpResponse:
    """Say yes or no at one end, without signing in. GET changes nothing: programs open links."""
    now = clock.now()
    change = open_email_change(token, now)
    if change is None:
        return render(request, "patients/email_change.html", {}, status=HTTPStatus.NOT_FOUND)
    languages.speak(request, change.user.language)
    if request.method != "POST":
        return render(request, "patients/email_change.html", {"change": change})
    if request.POST.get("do") == "stop":
        stop_email_change(token=token, now=now)
        return render(request, "patients/email_change.html", {"is_stopped": True})
    done = confirm_email_change(token=token, now=now)
    context = {"done": done, "is_stopped": bool(done and done.stopped_at)}
    return render(request, "patients/email_change.html", context)
