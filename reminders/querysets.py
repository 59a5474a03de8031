"""Which reminders and messages: by who is asking, by what is due, and by state."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q

from patients.querysets import NOW, USER, Reader, lived_with, patients_lived_with
from portal import clock
from portal.models import Clinic
from portal.prepared import Prepared

if TYPE_CHECKING:
    from portal.models import User


class ReminderQuerySet(models.QuerySet):
    """Planned rows by who is asking and by moment."""

    patient_path = "episode__patient"

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """A clinic's rows for its staff; for everyone else their own rows about patients they may see now.

        Two carers of one child never see each other's rows.
        """
        return self.filter(
            Q(episode__patient__clinic__in=Clinic.objects.visible_to(user))
            | Q(id__in=type(self)(self.model).own(user).values("id"))
        )

    def own(self, user: User | AnonymousUser | Reader) -> Self:
        """The rows addressed to `user` about patients whose web login this is."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(recipient=user.pk, episode__patient__in=patients_lived_with(user))

    def with_words(self) -> Self:
        """Fetch with the rows what putting them into words needs, but for their episode. One further query."""
        return self.select_related("appointment__location", "step").prefetch_related("step__texts")

    def due(self, now: datetime) -> Self:
        """What waits to be sent and whose moment has come, oldest first."""
        return self.filter(state__in=("planned", "retrying"), due_at__lte=now).order_by("due_at")

    def open(self) -> Self:
        """What may still be sent."""
        return self.filter(state__in=("planned", "claimed", "retrying"))


class MessageQuerySet(models.QuerySet):
    """Messages by who is asking, and by state."""

    # Over a mail's reminders: it may speak of several patients.
    patient_path = "reminders__episode__patient"

    def abandoned(self) -> Self:
        """Mails tried before that no reminder waits for any more."""
        from reminders.models import Reminder  # the model is built from this module

        carried = Reminder.objects.filter(message=OuterRef("pk"))
        # Asked of each of the few: as joins they would lead through all messages there are.
        return self.filter(
            Q(state="retrying") | Exists(carried),
            ~Exists(carried.open()),
            state__in=("sending", "retrying"),
        )

    def never_begun(self, before: datetime) -> Self:
        """Mails made before a moment (UTC) and never handed over: their worker died, or is very slow."""
        return self.filter(state="sending", attempts=1, reminders=None, created_at__lt=before)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """A clinic's messages for its staff; for everyone else the messages sent to themselves."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        return self.filter(
            Q(clinic__in=Clinic.objects.visible_to(user))
            | Q(id__in=type(self)(self.model).own(user).values("id"))
        )

    def own(self, user: User | AnonymousUser | Reader) -> Self:
        """The messages sent to `user`, unless they speak of a patient `user` may not see any more."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        now = NOW if isinstance(user, Reader) else clock.now()
        hidden = Prepared(_hidden_messages, models.UUIDField(), user=user.pk, now=now)
        return self.filter(recipient=user.pk).exclude(id__in=hidden)


def _hidden_messages() -> models.QuerySet:
    """The messages to `USER` that speak of a patient whom they may not see at `NOW`, for `Prepared`."""
    from reminders.models import Reminder  # the model is built from this module

    rows = Reminder.objects.filter(message__recipient=USER)
    return rows.exclude(episode__patient__in=lived_with()).order_by().values("message_id")
