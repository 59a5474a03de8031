"""The people and places of the portal: users, clinics, roles, audit, and the switches of the machine.

No patient data lives here; `patients` holds it and refers back to these models.
"""

from __future__ import annotations

import uuid
import zoneinfo
from datetime import date, datetime, time
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower, Upper
from django.utils import timezone
from django.utils.encoding import force_str
from django.utils.translation import gettext_lazy as _

from portal import clock
from portal.day_words import date_format
from portal.querysets import AuditEventQuerySet, ClinicQuerySet, UserManager


def validate_time_zone(value: str) -> None:
    """Refuse what is not a key of the IANA time zone database.

    Raises ValidationError.
    """
    if value not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(value)s” is not a time zone we know."), params={"value": value})


class Record(models.Model):
    """What every row that can stand in a URL has: an unguessable key and the moment it was made (UTC)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def _get_FIELD_display(self, field: Any) -> str:  # noqa: N802 - Django's own name
        """What `get_…_display` shows. Django hashes every choice in words to find one, again for each row."""
        value = getattr(self, field.attname)
        return force_str(_words_of_choices(field).get(value, value), strings_only=True)


@cache
def _words_of_choices(field: Any) -> dict[Any, Any]:
    """The words for each value of a field, which are put into a language when they are shown."""
    return dict(field.flatchoices)


class Language(models.TextChoices):
    """Languages a person can choose for pages and mails (BCP 47, lower case as Django writes them)."""

    BRITISH_ENGLISH = "en-gb", _("English (UK)")
    AMERICAN_ENGLISH = "en-us", _("English (US)")
    SPANISH = "es", _("Spanish")
    ARABIC = "ar", _("Arabic")


class User(AbstractBaseUser, PermissionsMixin, Record):
    """Anyone who can sign in or receive mail: staff, patients, parents and carers. The email is the login name."""

    email = models.EmailField(_("email address"), max_length=254)
    name = models.CharField(_("name"), max_length=150)
    language = models.CharField(
        _("language"), max_length=10, choices=Language, default=Language.BRITISH_ENGLISH
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Left empty, the clinic's own time zone is used."),
    )
    mail_at = models.TimeField(
        _("time of day for mail"),
        null=True,
        blank=True,
        help_text=_("Left empty, each mail comes at the time that the clinic planned."),
    )
    paused_from = models.DateField(_("mail is paused from"), null=True, blank=True)
    paused_until = models.DateField(_("mail is paused until"), null=True, blank=True)
    is_staff = models.BooleanField(_("member of staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    session_round = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_("Counting it up ends every session of the account at once."),
    )

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("name", "email")
        constraints = (
            models.UniqueConstraint(Lower("email"), name="user_email_unique"),
            models.CheckConstraint(
                condition=models.Q(paused_from__isnull=True, paused_until__isnull=True)
                | models.Q(paused_from__lte=models.F("paused_until")),
                name="user_pause_has_two_ends",
            ),
        )
        # Of what Django asks PostgreSQL for an address in any case.
        indexes = (models.Index(Upper("email"), name="user_by_email"),)

    def __str__(self) -> str:
        return self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must match; Django asks at every request. It changes with the password and the round."""
        value: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]  # Django's own
        return f"{value}:{self.session_round}"

    @property
    def zone_or_utc(self) -> zoneinfo.ZoneInfo:
        """The zone that the person chose; UTC where they left it to the clinic and no clinic is at hand."""
        return zoneinfo.ZoneInfo(self.time_zone or "UTC")

    def is_paused(self, on: date) -> bool:
        """Whether mail that can wait is held back on the local day `on`; both ends of the pause are inside."""
        return (
            self.paused_from is not None
            and self.paused_until is not None
            and self.paused_from <= on <= self.paused_until
        )

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email


class OpenDays(models.TextChoices):
    """The days on which somebody answers in opening hours; the value holds ISO numbers of weekdays."""

    TO_THURSDAY = "1234", _("Monday to Thursday")
    TO_FRIDAY = "12345", _("Monday to Friday")
    TO_SATURDAY = "123456", _("Monday to Saturday")
    ALL = "1234567", _("every day")


class Clinic(Record):
    """One clinic and how to reach it (FHIR Organization). Times of day are in `time_zone`."""

    name = models.CharField(_("name"), max_length=150, unique=True)
    slug = models.SlugField(unique=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="Europe/London", validators=[validate_time_zone]
    )
    language = models.CharField(
        _("language"), max_length=10, choices=Language, default=Language.BRITISH_ENGLISH
    )
    phone_in_hours = models.CharField(_("phone in opening hours"), max_length=40)
    opening_hours = models.CharField(
        _("opening hours"),
        max_length=120,
        help_text=_("For example: Monday to Friday, 8 am to 6 pm"),
    )
    phone_out_of_hours = models.CharField(_("phone out of hours"), max_length=40)
    emergency_wording = models.CharField(
        _("in an emergency"),
        max_length=200,
        help_text=_("One sentence, for example: In an emergency call 999."),
    )
    emergency_phone = models.CharField(
        _("emergency number"),
        max_length=20,
        blank=True,
        help_text=_("The number alone, such as 999: with a warning sign, one tap calls it."),
    )
    open_days = models.CharField(
        _("days open"),
        max_length=7,
        blank=True,
        choices=OpenDays,
        help_text=_(
            "With days and hours, a warning sign names the one number that answers at that hour; without, both."
        ),
    )
    opens_at = models.TimeField(_("opens at"), null=True, blank=True)
    closes_at = models.TimeField(_("closes at"), null=True, blank=True)
    sending_from = models.TimeField(_("send no mail before"), default=time(8))
    sending_until = models.TimeField(_("send no mail from"), default=time(20))
    daily_cap = models.PositiveSmallIntegerField(
        _("mails a day at most, per person"),
        default=4,
        help_text=_("Essential mails do not count."),
    )
    on_call_email = models.EmailField(
        _("email address on call"),
        max_length=254,
        blank=True,
        help_text=_("Told when a warning sign waits too long. The mail names no patient."),
    )
    escalate_after_minutes = models.PositiveSmallIntegerField(
        _("minutes until a waiting warning sign is told on call"), default=30
    )
    is_demo = models.BooleanField(_("demo clinic"), default=False, editable=False)

    objects = ClinicQuerySet.as_manager()

    class Meta:
        verbose_name = _("clinic")
        verbose_name_plural = _("clinics")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(sending_from__lt=models.F("sending_until")),
                name="clinic_sending_window_is_a_window",
            ),
            models.CheckConstraint(
                condition=models.Q(open_days="", opens_at=None, closes_at=None)
                | models.Q(opens_at__isnull=False, opens_at__lt=models.F("closes_at"))
                & models.Q(closes_at__isnull=False)
                & ~models.Q(open_days=""),
                name="clinic_opening_hours_are_whole",
                violation_error_message=_(
                    "Fill in the days, when you open and when you close, or none of the three."
                ),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The clinic's time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def is_open_at(self, moment: datetime) -> bool | None:
        """Whether somebody answers in opening hours at `moment`; None where the hours are not known.

        Public holidays are not known either: whoever tells a reader which number to call names the other one too.
        """
        if not self.open_days or self.opens_at is None or self.closes_at is None:
            return None
        local = moment.astimezone(self.zone)
        is_day = str(local.isoweekday()) in self.open_days
        return is_day and self.opens_at <= local.time() < self.closes_at


class Location(Record):
    """A place people are asked to come to (FHIR Location)."""

    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="locations")
    name = models.CharField(_("name"), max_length=150)
    address = models.CharField(_("address"), max_length=250)
    directions = models.TextField(_("how to get there"), blank=True)

    class Meta:
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("clinic", "name"), name="location_name_unique_in_clinic"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member of staff is at one clinic (FHIR PractitionerRole.code)."""

    MANAGER = "manager", _("Manager")
    SURGEON = "surgeon", _("Surgeon")
    NURSE = "nurse", _("Nurse")
    PHYSIOTHERAPIST = "physiotherapist", _("Physiotherapist")
    RADIOGRAPHER = "radiographer", _("Radiographer")
    CLERK = "clerk", _("Booking clerk")
    AUDITOR = "auditor", _("Auditor")


class PractitionerRole(Record):
    """One role of one member of staff at one clinic. Somebody may hold several."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="roles"
    )
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="roles")
    role = models.CharField(_("role"), max_length=20, choices=Role)

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        constraints = (
            models.UniqueConstraint(
                fields=("user", "clinic", "role"), name="role_unique_per_clinic"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} ({self.clinic})"


class AuditEvent(models.Model):
    """Who did what to which record, when and from where (FHIR AuditEvent). Written by `portal.audit` alone.

    Rows are only ever added: `save` refuses an existing row and `delete` refuses always.
    """

    class Action(models.TextChoices):
        CREATE = "C", _("created")
        READ = "R", _("read")
        UPDATE = "U", _("changed")
        DELETE = "D", _("removed")
        EXECUTE = "E", _("carried out")

    id = models.BigAutoField(primary_key=True)
    recorded_at = models.DateTimeField(default=clock.now, db_index=True)
    action = models.CharField(max_length=1, choices=Action)
    verb = models.CharField(max_length=60)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_label = models.CharField(max_length=200)
    clinic = models.ForeignKey(Clinic, null=True, on_delete=models.PROTECT, related_name="+")
    patient_id = models.UUIDField(null=True)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)
    address = models.GenericIPAddressField(null=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("patient_id", "-id"), name="audit_by_patient"),
            models.Index(fields=("actor", "-id"), name="audit_by_actor"),
            models.Index(fields=("clinic", "-id"), name="audit_by_clinic"),
            models.Index(fields=("verb", "-id"), name="audit_by_verb"),
        )

    def __str__(self) -> str:
        return (
            f"{self.actor_label}, {date_format(timezone.localtime(self.recorded_at), 'j M Y, H:i')}"
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row. Raises TypeError for a row that exists: an audit trail is not edited."""
        if not self._state.adding:
            raise TypeError("An audit event cannot be changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raise TypeError: an audit trail is not thinned out."""
        raise TypeError("An audit event cannot be removed.")


class AuditLink(models.Model):
    """The place of one audit event in the chain, and the hash that covers it and every event before it.

    Written by `portal.chain` alone. The event is named by its key and not by a foreign key, so that
    a row that was taken away is missed, and not forgotten with its link.
    """

    position = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("link of the audit chain")
        verbose_name_plural = _("links of the audit chain")
        ordering = ("position",)

    def __str__(self) -> str:
        return f"{self.position}: {self.hash}"


class AuditHead(models.Model):
    """Where the audit chain ends: one row, which whoever seals holds locked."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)
    last_event_id = models.BigIntegerField(default=0)
    sealed_at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("head of the audit chain")
        verbose_name_plural = _("heads of the audit chain")
        constraints = (
            models.CheckConstraint(condition=models.Q(id=1), name="audit_head_is_one_row"),
        )

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


class AuditCheck(Record):
    """One time that the audit chain was checked: how far it came, and what it found wrong."""

    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reached = models.BigIntegerField(default=0)
    reached_hash = models.CharField(max_length=64, default="0" * 64)
    total = models.BigIntegerField(default=0)
    faults = models.JSONField(default=list)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("check of the audit trail")
        verbose_name_plural = _("checks of the audit trail")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}: {len(self.faults)}"


class SignIn(Record):
    """Somebody signed in, or tried to. Kept for the account's owner and for those who manage staff."""

    # Empty where no account has the address: an attempt takes the same time then.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="sign_ins"
    )
    is_successful = models.BooleanField(_("successful"))
    ways = models.CharField(_("by"), max_length=100, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True)
    browser = models.CharField(_("browser"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")
        ordering = ("-created_at",)
        indexes = (models.Index(fields=("user", "-created_at"), name="sign_in_by_user"),)

    def __str__(self) -> str:
        return f"{self.user}: {self.created_at:%Y-%m-%d %H:%M}"


class SendingSwitch(models.Model):
    """The kill switch: one row that says whether any reminder may leave. Read it with `SendingSwitch.current()`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    is_on = models.BooleanField(_("sending is on"), default=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    changed_at = models.DateTimeField(default=clock.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("sending switch")
        verbose_name_plural = _("sending switch")
        constraints = (
            models.CheckConstraint(condition=models.Q(id=1), name="sending_switch_is_one_row"),
        )

    def __str__(self) -> str:
        return str(_("Sending is on") if self.is_on else _("Sending is stopped"))

    @classmethod
    def current(cls) -> SendingSwitch:
        """The switch as it stands; an installation that never touched it is on."""
        return cls.objects.filter(pk=1).first() or cls()


class Heartbeat(models.Model):
    """The last time (UTC) a recurring job of the machine ran to its end, by the job's name."""

    name = models.CharField(max_length=40, primary_key=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.beat_at:%Y-%m-%d %H:%M:%S}"


class Invitation(Record):
    """An invitation to set up a login. The link carries a token; only its SHA-256 is kept.

    Wrong dates of birth are counted in `proofs_failed`; a new link that somebody asked for alone goes on counting.
    """

    MOST_PROOFS = 5

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations"
    )
    clinic = models.ForeignKey(Clinic, on_delete=models.PROTECT, related_name="+")
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the mail server did not take its mail.")
    )
    proofs_failed = models.PositiveSmallIntegerField(_("wrong dates of birth"), default=0)
    # Of its mail, by which one that comes back is known.
    message_id = models.CharField(max_length=200, blank=True, editable=False, db_index=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.user} ({self.created_at:%Y-%m-%d})"

    @property
    def is_locked(self) -> bool:
        """Whether too many dates were wrong: the clinic has to send a new one."""
        return self.proofs_failed >= self.MOST_PROOFS


class InvitationRequest(Record):
    """Somebody asked for a link or a code at this address, which need not be anyone's. Gone once it was answered."""

    class Wish(models.TextChoices):
        """What is asked for."""

        INVITATION = "invitation"
        PASSWORD = "password"  # noqa: S105  what is asked for
        CODE = "code"

    email = models.EmailField(max_length=254)
    wish = models.CharField(max_length=10, choices=Wish, default=Wish.INVITATION)
    # Of a wish for a code: the one that is typed where it was asked for.
    code = models.CharField(max_length=20, blank=True)
    # Of the page it was asked on: whoever has no account here has chosen none.
    language = models.CharField(max_length=10, choices=Language, default=Language.BRITISH_ENGLISH)

    class Meta:
        verbose_name = _("request for an invitation")
        verbose_name_plural = _("requests for an invitation")
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return str(self.pk)


class OutboxMail(Record):
    """A mail kept in the local outbox instead of being sent, as the bytes that would have gone (RFC 5322)."""

    to_address = models.CharField(max_length=254, db_index=True)
    subject = models.CharField(max_length=250)
    raw = models.BinaryField()

    class Meta:
        verbose_name = _("mail in the outbox")
        verbose_name_plural = _("mails in the outbox")
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=("-created_at",), name="outbox_newest_first"),)

    def __str__(self) -> str:
        return self.subject
