"""What the forms of django-allauth do otherwise here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import RequestLoginCodeForm, ResetPasswordForm
from allauth.core import context, ratelimit
from django.http import HttpRequest

from portal import clock
from portal.password_requests import ask_password


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
