"""What is planned for whom and what was sent: reminders, messages, decisions, preferences, suppressions.

Reads `procedures` and `patients` and writes neither. A reminder is planned by `reconciler`, a notice by
`telling`; either changes state through these, `pipeline` and `outcomes`, and at staff's word through `actions`.
"""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from patients.models import Appointment, Episode
from portal import clock
from portal.day_words import date_format
from portal.models import Clinic, Record
from procedures.models import Category, Step
from reminders.pieces import woven
from reminders.querysets import MessageQuerySet, ReminderQuerySet


@lru_cache(maxsize=512)
def _zone(own: str, clinics: str) -> ZoneInfo:
    try:
        return ZoneInfo(own or clinics)
    except (ZoneInfoNotFoundError, ValueError):
        # Zones are checked when they are stored; the time zone database may forget one all the same.
        return ZoneInfo(clinics)


class Reminder(Record):
    """One planned row: this episode (or appointment), this step, this occurrence, this recipient.

    FHIR CommunicationRequest. What was intended is `local_date`, `local_time` and `time_zone`;
    `due_at` (UTC) is derived from them. After `valid_until` (UTC) the row is not sent any more.
    A row without a step is a notice, such as the one mail that says that surgery moved.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        CLAIMED = "claimed", _("being sent")
        RETRYING = "retrying", _("waiting to be tried again")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("left out")
        CANCELLED = "cancelled", _("cancelled")
        MISSED = "missed", _("missed")

    class Kind(models.TextChoices):
        STEP = "step", _("a step of the plan")
        SURGERY_MOVED = "surgery_moved", _("surgery was moved")
        SURGERY_CANCELLED = "surgery_cancelled", _("surgery was cancelled")
        VISIT_CANCELLED = "visit_cancelled", _("a visit was cancelled")
        VISIT_ANSWERED = "visit_answered", _("an answer about a visit")
        SURGERY_POSTPONED = "surgery_postponed", _("surgery was postponed")
        QUESTION_ANSWERED = "question_answered", _("a question was answered")

    # Where an index of several columns begins with a foreign key, one of its own would only cost writes; and
    # of those that most rows leave empty, one of the others will do. Planning writes rows by the hundred.
    episode = models.ForeignKey(
        Episode, on_delete=models.CASCADE, related_name="reminders", db_index=False
    )
    appointment = models.ForeignKey(
        Appointment, null=True, blank=True, on_delete=models.CASCADE, related_name="reminders",
        db_index=False,
    )  # fmt: skip
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.STEP)
    step = models.ForeignKey(
        Step, null=True, blank=True, on_delete=models.PROTECT, related_name="reminders"
    )
    step_key = models.CharField(
        max_length=80, blank=True, help_text=_("The step's key, the same in every version.")
    )
    occurrence = models.PositiveSmallIntegerField(default=0)
    correction = models.PositiveSmallIntegerField(
        default=0, help_text=_("0 is the first sending; a correction after a move counts up.")
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reminders", db_index=False
    )
    category = models.CharField(max_length=20, choices=Category)
    is_essential = models.BooleanField(default=False)
    is_pinned = models.BooleanField(
        default=False, help_text=_("Staff chose its moment; planning leaves it there.")
    )
    context = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("What a notice says, for example the old and new date."),
    )

    local_date = models.DateField()
    local_time = models.TimeField()
    time_zone = models.CharField(max_length=64)
    counted_from = models.CharField(
        max_length=40,
        blank=True,
        help_text=_("The date, or the moment of the visit, that the words speak of."),
    )
    due_at = models.DateTimeField()
    valid_until = models.DateTimeField()

    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    reason = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    message = models.ForeignKey(
        "Message", null=True, blank=True, on_delete=models.PROTECT, related_name="reminders",
        db_index=False,
    )  # fmt: skip

    objects = ReminderQuerySet.as_manager()

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        ordering = ("due_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("episode", "step_key", "occurrence", "correction", "recipient"),
                condition=Q(step__isnull=False, appointment__isnull=True),
                name="reminder_once_per_episode",
            ),
            models.UniqueConstraint(
                fields=("appointment", "step_key", "occurrence", "correction", "recipient"),
                condition=Q(step__isnull=False, appointment__isnull=False),
                name="reminder_once_per_appointment",
            ),
            models.UniqueConstraint(
                fields=("episode", "kind", "occurrence", "recipient"),
                condition=Q(step__isnull=True),
                name="reminder_notice_once",
            ),
            models.CheckConstraint(
                condition=(Q(kind="step") & Q(step__isnull=False))
                | (~Q(kind="step") & Q(step__isnull=True)),
                name="reminder_has_a_step_or_is_a_notice",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(message__isnull=False),
                name="reminder_sent_has_a_message",
            ),
            models.CheckConstraint(
                condition=Q(state="claimed", lease_until__isnull=False)
                | (~Q(state="claimed") & Q(lease_until__isnull=True)),
                name="reminder_claimed_has_a_lease",
            ),
        )
        indexes = (
            models.Index(
                fields=("due_at", "recipient"),
                condition=Q(state__in=("planned", "retrying")),
                name="reminder_due",
            ),
            models.Index(
                fields=("lease_until",), condition=Q(state="claimed"), name="reminder_leased"
            ),
            models.Index(
                fields=("due_at",), condition=Q(state="retrying"), name="reminder_retrying"
            ),
            models.Index(fields=("recipient", "due_at"), name="reminder_by_recipient"),
            models.Index(fields=("episode", "due_at"), name="reminder_by_episode"),
            models.Index(
                fields=("appointment",),
                condition=Q(appointment__isnull=False),
                name="reminder_by_appointment",
            ),
            models.Index(
                fields=("message",), condition=Q(message__isnull=False), name="reminder_by_message"
            ),
            # Of days and not of moments: by one of all moments the claim would be led through all that went.
            models.Index(fields=("local_date",), name="reminder_by_day"),
            models.Index(
                fields=("state", "settled_at"),
                condition=Q(state__in=("failed", "missed")),
                name="reminder_ended_badly",
            ),
        )

    def __str__(self) -> str:
        what = self.get_category_display() if self.step_id else self.get_kind_display()
        return f"{what}, {date_format(self.local_date, 'D j M Y')}, {self.local_time:%H:%M}"

    @cached_property
    def reader_zone(self) -> ZoneInfo:
        """The recipient's zone: their own, or the clinic's. The gates ask for it again and again."""
        return _zone(self.recipient.time_zone, self.episode.patient.clinic.time_zone)

    @property
    def is_open(self) -> bool:
        """Whether the row may still be sent."""
        return self.state in {self.State.PLANNED, self.State.CLAIMED, self.State.RETRYING}


class Sheet(models.Model):
    """The texts that many messages have in common, part by part, each in the order in which it is read.

    Between them goes what is a message's own. Written once under a key made of its content, and never
    changed: what was sent stays as it was sent. Nothing personal stands here.
    """

    id = models.UUIDField(primary_key=True)
    text = models.JSONField()
    html = models.JSONField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("sheet")
        verbose_name_plural = _("sheets")
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return str(self.id)


class Message(Record):
    """One email as it was sent (FHIR Communication), carrying the reminders of one slot for one person.

    `message_id` (RFC 5322) is stored before the first try and is the same on every try. Of a mail that was
    printed on a sheet only what is its own is stored: `own` is what goes between the sheet's texts, as it
    stands there, by part. Any other is stored whole. `text` and `html` are both, for either kind.
    """

    class State(models.TextChoices):
        SENDING = "sending", _("being sent")
        RETRYING = "retrying", _("waiting to be tried again")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        WITHDRAWN = "withdrawn", _("withdrawn")

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+", db_index=False)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    category = models.CharField(max_length=20, choices=Category)
    message_id = models.CharField(max_length=200)
    to_address = models.EmailField(max_length=254)
    subject = models.CharField(max_length=200)
    sheet = models.ForeignKey(
        Sheet, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    own = models.JSONField(default=dict)
    whole_text = models.TextField(_("text"), blank=True)
    whole_html = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    calendar = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.SENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_response = models.CharField(max_length=500, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When a mail server said that it cannot be delivered for good."),
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-created_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=(Q(state="sent") & Q(sent_at__isnull=False))
                | (~Q(state="sent") & Q(sent_at__isnull=True)),
                name="message_sent_has_a_moment",
            ),
            # A field that is `unique` has a second index on PostgreSQL, for words that begin alike.
            models.UniqueConstraint(fields=("message_id",), name="message_id_once"),
        )
        indexes = (
            models.Index(fields=("recipient", "-created_at"), name="message_by_recipient"),
            models.Index(fields=("clinic", "-created_at"), name="message_by_clinic"),
            models.Index(
                fields=("state",),
                condition=Q(state__in=("sending", "retrying")),
                name="message_under_way",
            ),
            models.Index(
                fields=("bounced_at",),
                condition=Q(bounced_at__isnull=False),
                name="message_came_back",
            ),
        )

    def __str__(self) -> str:
        return self.subject

    @property
    def text(self) -> str:
        """The plain text, as it was sent."""
        return woven(self.sheet.text, self.own["text"]) if self.sheet else self.whole_text

    @text.setter
    def text(self, text: str) -> None:
        self.whole_text = text

    @property
    def html(self) -> str:
        """The HTML, as it was sent."""
        return woven(self.sheet.html, self.own["html"]) if self.sheet else self.whole_html

    @html.setter
    def html(self, html: str) -> None:
        self.whole_html = html


class Decision(models.Model):
    """Why a reminder went, waited or stayed: which gate, which value, when. Rows are only ever added."""

    class Outcome(models.TextChoices):
        SEND = "send", _("sent")
        WAIT = "wait", _("waits")
        SKIP = "skip", _("left out")
        CANCEL = "cancel", _("cancelled")
        MISS = "miss", _("missed")
        FAIL = "fail", _("failed")

    id = models.BigAutoField(primary_key=True)
    reminder = models.ForeignKey(Reminder, on_delete=models.CASCADE, related_name="decisions")
    decided_at = models.DateTimeField(default=clock.now)
    outcome = models.CharField(max_length=10, choices=Outcome)
    gate = models.CharField(max_length=40)
    value = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.outcome}: {self.gate}"


class PlanChange(Record):
    """What one new plan changed for the people who get its mail, kept from the diff that was written.

    `news` holds for each recipient's key what `reminders.changes.News` describes. Written by `reconciler` alone;
    a first plan is no change.
    """

    episode = models.ForeignKey(
        Episode, on_delete=models.CASCADE, related_name="plan_changes", db_index=False
    )
    news = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("change of a plan")
        verbose_name_plural = _("changes of plans")
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=("episode", "-created_at"), name="plan_change_by_episode"),)

    def __str__(self) -> str:
        return f"{self.episode_id} {self.created_at:%Y-%m-%d %H:%M}"


class Preference(Record):
    """One person's choice about one category of mail; no row means that mail is wanted."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences"
    )
    category = models.CharField(max_length=20, choices=Category)
    is_on = models.BooleanField()
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = (
            models.UniqueConstraint(
                fields=("user", "category"), name="preference_once_per_category"
            ),
        )

    def __str__(self) -> str:
        return f"{self.category}: {self.is_on}"


class Suppression(Record):
    """An address that mail must not go to any more, because its mailbox does not exist or complained."""

    address = models.EmailField(max_length=254, unique=True)
    reason = models.CharField(max_length=40)
    response = models.CharField(max_length=500, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")

    def __str__(self) -> str:
        return self.address


class SendingChannel(models.Model):
    """Whether mail gets away: all of it (`domain` is empty), or what goes to one recipient domain.

    Written by `pacing` alone. Moments are on the machine's own clock (UTC), not on the demo's.
    `pauses` counts the pauses since mail last got away; `next_at` is when the next mail may leave.
    """

    domain = models.CharField(max_length=253, primary_key=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    pauses = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=40, blank=True)
    response = models.CharField(max_length=500, blank=True)
    changed_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("sending channel")
        verbose_name_plural = _("sending channels")
        ordering = ("domain",)

    def __str__(self) -> str:
        return self.domain or str(_("all mail"))


class DeliveryReport(Record):
    """What became of a mail after the server took it: bounced, delayed, or complained about. Each report is kept once.

    `status` is the enhanced code (RFC 3463) where there is one; `digest` tells reports apart.
    """

    class Kind(models.TextChoices):
        BOUNCED = "bounced", _("could not be delivered")
        DELAYED = "delayed", _("is delayed")
        COMPLAINED = "complained", _("was reported as unwanted")

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reports")
    kind = models.CharField(max_length=10, choices=Kind)
    status = models.CharField(max_length=12, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    source = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.status}".strip()


class DailyBalance(models.Model):
    """Where the reminders of one clinic's day have got to. `gap` is how many nobody can account for.

    `day` is the local day that the reminders were meant for. Written by `balance` alone.
    """

    id = models.BigAutoField(primary_key=True)
    clinic = models.ForeignKey(Clinic, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    due = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    in_flight = models.PositiveIntegerField(default=0)
    gap = models.PositiveIntegerField(default=0)
    checked_at = models.DateTimeField()

    class Meta:
        verbose_name = _("daily balance")
        verbose_name_plural = _("daily balances")
        ordering = ("-day", "clinic")
        constraints = (
            models.UniqueConstraint(fields=("clinic", "day"), name="daily_balance_once"),
        )
        indexes = (
            models.Index(fields=("day",), condition=Q(gap__gt=0), name="daily_balance_gaps"),
        )

    def __str__(self) -> str:
        return f"{self.clinic} {self.day}: {self.gap}"


class Counter(models.Model):
    """A number that only grows, for `/metrics`: how often something happened since the beginning."""

    name = models.CharField(max_length=80, primary_key=True)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"
