"""Links that stop one category of mail for one person, without a login (RFC 8058)."""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing

from procedures.models import Category
from reminders import addresses

_SALT = "reminders.unsubscribe"


class Choice(NamedTuple):
    """Whose mail, and which category of it."""

    user_id: UUID
    category: str


def link(user_id: UUID, category: str) -> str:
    """The absolute address at which somebody can stop, and start again, one category of their mail."""
    value = signing.b64_encode(f'["{user_id}","{category}"]'.encode()).decode()
    return addresses.unsubscribe(_signer(settings.SECRET_KEY).sign(value))


class _Signer(signing.TimestampSigner):
    """Signs as `signing.dumps` does, with the key for this purpose derived once instead of for each link."""

    def __init__(self, key: str) -> None:
        super().__init__(key=key, salt=_SALT)
        self._derived = hashlib.sha256(f"{_SALT}signer{key}".encode()).digest()

    def sign(self, value: str) -> str:
        """The value, the second and the signature, as Django writes them."""
        signed = f"{value}:{_in_base_62(int(time.time()))}"
        return f"{signed}:{self.signature(signed)}"

    def signature(self, value: str | bytes, key: str | bytes | None = None) -> str:
        """The signature under our own key; under an older one as Django makes it."""
        if key not in (None, self.key):
            return super().signature(value, key)
        content = value if isinstance(value, bytes) else value.encode()
        return signing.b64_encode(hmac.digest(self._derived, content, "sha256")).decode()


_in_base_62 = lru_cache(maxsize=8)(signing.b62_encode)


@lru_cache(maxsize=2)
def _signer(key: str) -> _Signer:
    return _Signer(key)


def read(token: str) -> Choice:
    """What a link stands for. Raises ValueError for one that we did not make."""
    try:
        user_id, category = signing.loads(token, salt=_SALT)
        return Choice(UUID(user_id), Category(category).value)
    except (signing.BadSignature, TypeError) as error:
        raise ValueError("This link was not made by us.") from error
