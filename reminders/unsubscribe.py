"""Links that stop one category of mail for one person, without a login (RFC 8058)."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from procedures.models import Category

_SALT = "reminders.unsubscribe"
# Where the token stands in the path, which is worked out once.
_PLACE = "TOKEN"


class Choice(NamedTuple):
    """Whose mail, and which category of it."""

    user_id: UUID
    category: str


def link(user_id: UUID, category: str) -> str:
    """The absolute address at which somebody can stop, and start again, one category of their mail."""
    token = _signer(settings.SECRET_KEY).sign_object([str(user_id), category])
    return settings.BASE_URL + _path().replace(_PLACE, token)


@lru_cache(maxsize=2)
def _signer(key: str) -> signing.TimestampSigner:
    """What `signing.dumps` makes anew each time."""
    return signing.TimestampSigner(key=key, salt=_SALT)


@cache
def _path() -> str:
    return reverse("reminders:unsubscribe", args=[_PLACE])


def read(token: str) -> Choice:
    """What a link stands for. Raises ValueError for one that we did not make."""
    try:
        user_id, category = signing.loads(token, salt=_SALT)
        return Choice(UUID(user_id), Category(category).value)
    except (signing.BadSignature, TypeError) as error:
        raise ValueError("This link was not made by us.") from error
