"""Forms of the way in: proving who was invited, choosing how to sign in, and asking for a new invitation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.dates import DayField
from portal.models import User


class ProofForm(forms.Form):
    """The date of birth that proves who opened an invitation. What a wrong one means, the view says."""

    born_on = DayField(label=_("Date of birth"), is_birth=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["born_on"].help_text = _(
            "The patient's. If the invitation is about your child, the child's."
        )


class WayInForm(forms.Form):
    """How somebody wants to sign in. A password is typed once, and can be looked at while typing."""

    class Way(models.TextChoices):
        CODE = "code", _("A code by email, each time I sign in")
        PASSWORD = "password", _("A password that I choose")
        PASSKEY = "passkey", _("A passkey: my fingerprint, my face, or the PIN of my phone")

    way = forms.ChoiceField(
        label=_("How do you want to sign in?"),
        choices=Way.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of the three.")},
    )
    password = forms.CharField(
        label=_("Password"),
        help_text=_(
            "Only if you chose a password. At least 15 characters: four words of your own are good. You may paste it."
        ),
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        """Look at the password only where it was chosen, and refuse what is easily guessed."""
        if self.cleaned_data.get("way") != self.Way.PASSWORD:
            self.cleaned_data["password"] = None
            return self.cleaned_data
        try:
            validate_password(self.cleaned_data.get("password") or "", self.user)
        except ValidationError as error:
            self.add_error("password", error)
        return self.cleaned_data


class AskInvitationForm(forms.Form):
    """Ask for a new invitation by naming the address that the first one went to."""

    email = forms.EmailField(
        label=_("Your email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
