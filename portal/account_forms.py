"""What the forms of django-allauth do otherwise here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    ChangePasswordForm,
    RequestLoginCodeForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
)
from allauth.core import context, ratelimit
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal import clock
from portal.password_requests import ask_password

PASSWORDS = {
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password, once more"),
}


class AskPasswordForm(ResetPasswordForm):
    """Ask for a new password. The address is not looked up: a known one must not cost more work than a strange one."""

    def clean_email(self) -> str:
        """The address as it is kept."""
        return str(self.cleaned_data["email"]).strip().lower()

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Keep the wish; `portal.tasks.answer_requests` answers it."""
        email = str(self.cleaned_data["email"])
        ask_password(email=email, now=clock.now())
        return email


class AskCodeForm(RequestLoginCodeForm):
    """Ask for a code to sign in with. Nobody is looked up here either."""

    def clean_email(self) -> str:
        """The address as it is kept. Raises ValidationError for one that was asked for too often."""
        email = str(self.cleaned_data["email"]).strip().lower()
        if not ratelimit.consume(context.request, action="request_login_code", key=email):
            raise get_adapter().validation_error("too_many_login_attempts")
        return email


class _OwnLabels:
    """Names the fields of passwords as those of our own forms are: without capitals."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in PASSWORDS.keys() & self.fields.keys():
            self.fields[name].label = PASSWORDS[name]


class NewPasswordForm(_OwnLabels, ChangePasswordForm):
    """Choose a new password when signed in."""


class FirstPasswordForm(_OwnLabels, SetPasswordForm):
    """Choose a password when signed in by other means."""


class MailedPasswordForm(_OwnLabels, ResetPasswordKeyForm):
    """Choose a new password by a link out of a mail."""


class AddPasskeyForm(AddWebAuthnForm):
    """Add a passkey. allauth has the label of its name in English alone."""

    name = forms.CharField(label=_("Name"), required=False)


class RenamePasskeyForm(EditWebAuthnForm):
    """Rename a passkey; the same."""

    name = forms.CharField(label=_("Name"))
