"""Who forgot a password: the page keeps the wish and a task answers it, so that asking tells nobody anything."""

from __future__ import annotations

from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse
from django.utils import translation

from portal.actions import invite_again
from portal.models import InvitationRequest, User

PASSWORD = InvitationRequest.Wish.PASSWORD


def ask_password(*, email: str, now: datetime) -> None:
    """Keep the wish for a new password. `now` is UTC. One query, whoever has the address."""
    InvitationRequest.objects.create(
        email=email, wish=PASSWORD, language=translation.get_language(), created_at=now
    )


def answer_password_requests(*, now: datetime) -> int:
    """Mail who asked for a new password, each address once. Returns how many requests there were.

    A request is taken before it is answered: what a crash cuts short is asked again by the person, never mailed twice.
    """
    asked = InvitationRequest.objects.filter(wish=PASSWORD)
    waiting = list(asked.values_list("email", "language"))
    for email, language in dict(waiting).items():
        if asked.filter(email=email).delete()[0]:
            with translation.override(language):
                _answer(email, now)
    return len(waiting)


def answer_without_account(email: str, now: datetime) -> None:
    """Send who was invited and has not come in a new invitation; to anyone else say that there is no account."""
    if not invite_again(email=email, now=now):
        get_adapter().send_mail("account/email/unknown_account", email, {})


def _answer(email: str, now: datetime) -> None:
    user = User.objects.come_in(email)
    if user is None:
        answer_without_account(email, now)
        return
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    context = {"user": user, "password_reset_url": _link(key)}
    get_adapter().send_password_reset_mail(user, user.email, context)


def _link(key: str) -> str:
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
    return settings.BASE_URL + path.replace("UID-KEY", key)
