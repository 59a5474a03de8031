"""A reader's wish for another email address, until both addresses have said yes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models import Record


class EmailChange(Record):
    """One wish for another address. Each address gets a link of its own; only the SHA-256 of its token is kept.

    The address changes once both links were used, in either order, before `expires_at` (UTC).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="email_changes"
    )
    old_email = models.EmailField(max_length=254)
    new_email = models.EmailField(max_length=254)
    old_token_hash = models.CharField(max_length=64, unique=True)
    new_token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    confirmed_old_at = models.DateTimeField(null=True, blank=True)
    confirmed_new_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("change of an address")
        verbose_name_plural = _("changes of an address")
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("user",),
                condition=Q(done_at__isnull=True, stopped_at__isnull=True),
                name="email_change_one_open_per_person",
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True)
                | Q(confirmed_old_at__isnull=False, confirmed_new_at__isnull=False),
                name="email_change_done_is_confirmed_twice",
            ),
        )

    def __str__(self) -> str:
        return str(self.user_id)
