"""Keeps when, how and from where accounts were signed in to, and when somebody tried and failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.authentication import get_authentication_records
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from portal import audit, clock
from portal.models import SignIn, User

KEPT_FOR = timedelta(days=400)


def listen() -> None:
    """Hear of every sign-in, whichever way it came: Django tells of each by these two signals."""
    user_logged_in.connect(_on_success, dispatch_uid="portal.sign_ins.success")
    user_login_failed.connect(_on_failure, dispatch_uid="portal.sign_ins.failure")


def _on_success(sender: Any, request: HttpRequest | None, user: User, **_more: Any) -> None:
    if request is not None and hasattr(request, "session"):
        _keep(request, user, is_successful=True, ways=_ways(request, user))


def _on_failure(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any
) -> None:
    if request is None:
        return
    address = str(credentials.get("email") or credentials.get("username") or "")
    user = User.objects.filter(email__iexact=address.strip()).first()
    _keep(request, user, is_successful=False, ways="")


def _ways(request: HttpRequest, user: User) -> str:
    used = [
        str(record.get("type") or record.get("method", ""))
        for record in get_authentication_records(request, user)
    ]
    return ", ".join(dict.fromkeys(filter(None, used)))[:100]


def _keep(request: HttpRequest, user: User | None, *, is_successful: bool, ways: str) -> None:
    SignIn.objects.create(
        user=user, is_successful=is_successful, ways=ways, created_at=clock.now(),
        address=audit.client_address(request), browser=request.headers.get("User-Agent", "")[:200],
    )  # fmt: skip


def forget_old(*, now: datetime) -> int:
    """Delete what lies further back than anybody asks about. Returns how many rows. `now` is UTC."""
    return SignIn.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]
