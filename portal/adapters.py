"""How django-allauth fits in: nobody signs up alone, and its mails leave by our one function."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _

from portal import mail
from portal.models import User


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in for people who were invited."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People come by invitation."""
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send an account mail (code, forgotten password, notice) by `portal.mail.send`, in its reader's language."""
        request = allauth_context.request
        site = {"name": "Stepwise", "domain": settings.BASE_URL}
        values = {"request": request, "email": email, "current_site": site, **context}
        with translation.override(_language_of(email) or translation.get_language()):
            message = self.render_mail(template_prefix, email, values)
        html = ""
        if isinstance(message, EmailMultiAlternatives) and message.alternatives:
            html = str(message.alternatives[0][0])
        mail.send(mail.Mail(to=email, subject=message.subject, text=str(message.body), html=html))

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell somebody that their way to sign in changed. The address is the login name itself."""
        super().send_notification_mail(template_prefix, user, context, email or user.get_username())


def _language_of(email: str) -> str:
    """The language of the account at this address; empty where there is none. One query."""
    found = User.objects.filter(email__iexact=email).values_list("language", flat=True)
    return found.first() or ""


# What allauth asks about where it decides whether signing in needs a second step.
_SECOND_STEP = {Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN}


class MFAAdapter(DefaultMFAAdapter):
    """A patient's passkey is a way in of its own, and not a second lock on the others.

    Who lost the phone that held it still gets in by a code in the mail. Staff need it as a second factor,
    and so does whoever set up an authenticator app.
    """

    def is_mfa_enabled(self, user: AbstractBaseUser, types: Collection[str] | None = None) -> bool:
        """Whether signing in needs a second step; asked about one kind, whether it is set up."""
        if types and set(types) == _SECOND_STEP and not getattr(user, "is_staff", False):
            types = [Authenticator.Type.TOTP]
        return super().is_mfa_enabled(user, types)

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's
        """What a new passkey is called until its owner says better."""
        return _("My passkey")
