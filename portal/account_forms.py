"""What the forms of django-allauth do otherwise here."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ResetPasswordForm
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
