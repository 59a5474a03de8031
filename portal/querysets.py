"""Which rows of the portal's own models: accounts by address, clinics and audit by who is asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from portal.models import User


class UserManager(BaseUserManager["User"]):
    """Makes accounts and finds them by address, whatever its upper and lower case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def come_in(self, email: str) -> User | None:
        """The account at this address, if a way in may be mailed to it. One query.

        Not to who has never come in: whoever reads that mailbox has not shown yet who they are, and the
        invitation asks for it.
        """
        from portal.models import Invitation  # the model is built from this module

        accepted = Invitation.objects.filter(user=models.OuterRef("pk"), accepted_at__isnull=False)
        has_password = ~Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
        has_been_in = Q(is_staff=True) | has_password | models.Exists(accepted)
        return self.filter(has_been_in, email__iexact=email, is_active=True).first()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Add an account. Without a password nobody can sign in until one is chosen.

        Raises ValueError for an empty address.
        """
        user = self.build_user(email, password, **fields)
        user.save(using=self._db)
        return user

    def build_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """The same account, not stored yet. Raises ValueError for an empty address."""
        if not email:
            raise ValueError("A user needs an email address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Add the operator's account, which sees everything."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class ClinicQuerySet(models.QuerySet):
    """Clinics by who is asking."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The clinics a member of staff works at; every clinic for the operator; none for anyone else."""
        if not (user.is_authenticated and user.is_active and user.is_staff):
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(roles__user=user).distinct()


class AuditEventQuerySet(models.QuerySet):
    """Audit events by who is asking. They are neither changed nor removed, in bulk either."""

    def update(self, **values: Any) -> int:
        """Raise TypeError: an audit trail is not edited."""
        raise TypeError("An audit event cannot be changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Raise TypeError: an audit trail is not thinned out."""
        raise TypeError("An audit event cannot be removed.")

    def bulk_update(self, objs: Any, fields: Any, batch_size: int | None = None) -> int:
        """Raise TypeError: an audit trail is not edited."""
        raise TypeError("An audit event cannot be changed.")

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The events of the clinics whose audit a person may read: managers and auditors, and the operator."""
        if not (user.is_authenticated and user.is_active and user.is_staff):
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(
            clinic__roles__user=user, clinic__roles__role__in=("manager", "auditor")
        ).distinct()

    def of_patient(self, keys: Any) -> Self:
        """The events that concern one patient, by the keys of all their records."""
        return self.filter(patient_id__in=keys)
