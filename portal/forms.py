"""Forms of the way in: choosing a password, and asking for a new invitation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from portal.models import User


class PasswordForm(forms.Form):
    """Choose a password. It is typed once, and can be looked at while typing."""

    password = forms.CharField(
        label=_("Choose a password"),
        help_text=_(
            "At least 12 characters. Three or four words that mean something to you are good."
        ),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        """Refuse what is easily guessed. Raises ValidationError."""
        password = str(self.cleaned_data["password"])
        validate_password(password, self.user)
        return password


class AskInvitationForm(forms.Form):
    """Ask for a new invitation by naming the address that the first one went to."""

    email = forms.EmailField(
        label=_("Your email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
