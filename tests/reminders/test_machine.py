"""Years of a family's mail in any order of events: a state machine, compared with what must always hold.

Deliveries are seen where the mail server sees them. Which reminders a mail carried is read from the
"why" links in its text, so that nothing is believed that the database says about itself.
"""

import re
import smtplib
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from patients import actions as records
from patients.actions.merging import booked_twice
from patients.models import Episode, RelatedPerson
from portal.actions import save_setting, set_sending
from portal.mail import Outcome
from reminders import actions, merging, pipeline
from reminders.models import Message, Preference, Reminder
from reminders.planning import plan_requested
from reminders.reconciler import reconcile
from tests.factories import (
    make_carer,
    make_clinic,
    make_patient,
    make_staff,
    make_user,
    make_version,
)
from tests.reminders.on_paper import differences
from tests.reminders.there_and_back import Plan, not_restored
from tests.reminders.wire import Crash, Wire

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SURGERY = date(2026, 4, 6)
STEPS = {
    "insurer": {"anchor": "decision", "offset_value": 1, "late_policy": "catch_up"},
    "smoke-free": {
        "category": "smoking_cessation", "offset_value": -28, "late_policy": "send_now",
        "condition": {"uses_nicotine": True}, "repeat_every_days": 7, "repeat_count": 4,
    },
    "pack-bag": {"offset_value": -2, "late_policy": "send_now", "repeat_policy": "correct", "recipients": "both"},
    "day-before": {
        "offset_value": -1, "at": time(12), "is_essential": True, "late_policy": "send_now",
        "repeat_policy": "correct",
    },
    "exercises": {
        "category": "physiotherapy", "anchor": "discharge", "offset_value": 1, "repeat_every_days": 1,
        "repeat_count": 5, "valid_for": timedelta(hours=12), "recipients": "both",
    },
    "wound": {"category": "check_in", "anchor": "discharge", "offset_value": 3, "late_policy": "send_now"},
    "xray-visit": {
        "category": "xray", "anchor": "appointment", "appointment_kind": "xray", "offset_value": -1,
        "late_policy": "send_now", "repeat_policy": "correct", "recipients": "both",
    },
}  # fmt: skip
CATEGORIES = st.sampled_from(
    ["preparation", "smoking_cessation", "physiotherapy", "check_in", "xray"]
)
WHY = re.compile(r"/why/([0-9a-f-]{36})/")


class Family(RuleBasedStateMachine):
    """A young smoker with an own login and two parents in two time zones."""

    def __init__(self):
        super().__init__()
        self.rollback = transaction.atomic()
        self.rollback.__enter__()
        self.clock = time_machine.travel(START, tick=False)
        self.traveller = self.clock.__enter__()
        Wire.taken, Wire.answers = [], []
        self.seen = 0
        self.carried: dict[str, Counter] = defaultdict(Counter)
        self.crashed: Counter = Counter()
        self.mails_a_day: dict[tuple[str, date], set[str]] = defaultdict(set)
        self.sent_rows: dict = {}
        # The same person's second record with its episode, if there is one, and whether it was merged.
        self.double = self.double_episode = None
        self.is_merged = False
        # What each address was told of the operation, and what of it before the two records became one.
        self.told: set[tuple] = set()
        self.told_before_merging: set[tuple] = set()
        self._make()

    def _make(self):
        self.clinic = make_clinic(daily_cap=2)
        self.staff = make_staff(self.clinic, "clerk")
        self.versions = [make_version(self.clinic, STEPS, audience="child")]
        self.patient = make_patient(
            self.clinic, email="kid@example.com", birth_date=date(2010, 1, 1), uses_nicotine=True
        )
        self.mother = make_user("mother@example.com")
        self.father = make_user("father@example.com", time_zone="America/New_York")
        for user in (self.mother, self.father):
            make_carer(self.patient, user)
        self.people = [self.patient.user, self.mother, self.father]
        self.episode, _ = actions.book(
            patient=self.patient,
            version=self.versions[0],
            side="left",
            surgery_on=SURGERY,
            by=self.staff,
            now=START,
        )

    def teardown(self):
        self.clock.__exit__(None, None, None)
        transaction.set_rollback(True)
        self.rollback.__exit__(None, None, None)

    @property
    def now(self):
        return datetime.now(UTC)

    def by(self, **fields):
        return {"by": self.staff, "now": self.now} | fields

    def current(self):
        return Episode.objects.select_related("patient__clinic").get(pk=self.episode.pk)

    def attempt(self, act, **fields):
        """Do what may be refused; a refusal changes nothing."""
        try:
            with transaction.atomic():
                act(**self.by(**fields))
        except ValidationError:
            pass

    # What people do

    @rule(days=st.integers(-40, 60), is_off=st.sampled_from([False] * 5 + [True]))
    def move_surgery(self, days, is_off):
        on = None if is_off else SURGERY + timedelta(days=days)
        self.attempt(actions.move_anchor, episode=self.current(), anchor="surgery", on=on)

    @rule(days=st.integers(0, 6))
    def move_surgery_there_and_back(self, days):
        before = self.current().surgery_on
        if before and self.current().is_open:
            self.attempt(
                actions.move_anchor,
                episode=self.current(),
                anchor="surgery",
                on=before + timedelta(days=days),
            )
            self.attempt(actions.move_anchor, episode=self.current(), anchor="surgery", on=before)

    @rule(days=st.integers(-40, 60))
    def move_surgery_away_and_back_with_a_plan_each_time(self, days):
        on = self.current().surgery_on
        if on is None or not self.current().is_open:
            return
        # What was changed and not planned yet is no work of the move: it does not go back with it.
        plan_requested(now=self.now)
        before = Plan.of(self.episode)
        for day in (on + timedelta(days=days), on):
            self.move_surgery_to(day)
        window = self.clinic.sending_from, self.clinic.sending_until
        assert not_restored(before, Plan.of(self.episode), self.now, window) == []

    def move_surgery_to(self, day):
        self.attempt(actions.move_anchor, episode=self.current(), anchor="surgery", on=day)
        plan_requested(now=self.now)

    @rule(days=st.integers(0, 10))
    def discharge(self, days):
        surgery = self.current().surgery_on
        if surgery:
            self.attempt(
                actions.move_anchor,
                episode=self.current(),
                anchor="discharge",
                on=surgery + timedelta(days=days),
            )

    @rule(days=st.integers(0, 30), hour=st.integers(7, 18))
    def book_xray(self, days, hour):
        on = self.now.date() + timedelta(days=days)
        self.attempt(
            records.book_appointment, episode=self.current(), kind="xray", on=on, at=time(hour)
        )

    @rule(days=st.integers(0, 30), hour=st.integers(7, 18))
    def move_or_cancel_xray(self, days, hour):
        visit = self.episode.appointments.booked().first()
        if visit and days:
            on = self.now.date() + timedelta(days=days)
            self.attempt(records.move_appointment, appointment=visit, on=on, at=time(hour))
        elif visit:
            self.attempt(records.cancel_appointment, appointment=visit)

    @rule(who=st.integers(0, 2), category=CATEGORIES, is_on=st.booleans())
    def choose(self, who, category, is_on):
        actions.choose(**self.by(user=self.people[who], category=category, is_on=is_on))

    @rule(who=st.integers(1, 2))
    def end_or_give_access(self, who):
        user = self.people[who]
        link = RelatedPerson.objects.filter(patient=self.patient, user=user, ended_at=None).first()
        if link:
            records.end_carer(**self.by(link=link))
        else:
            self.attempt(
                records.link_carer,
                patient=self.current().patient,
                email=user.email,
                name="",
                relationship="parent",
            )

    @rule(smokes=st.booleans(), is_restricted=st.booleans())
    def change_patient(self, smokes, is_restricted):
        patient = self.current().patient
        records.update_patient(
            **self.by(patient=patient, uses_nicotine=smokes, is_restricted=is_restricted)
        )

    @rule(chance=st.integers(0, 9))
    def die_or_cancel(self, chance):
        if chance == 0:
            self.attempt(records.mark_deceased, patient=self.current().patient, on=self.now.date())
        elif chance == 1:
            self.attempt(actions.cancel_surgery, episode=self.current(), reason="ill")
        elif chance == 2:
            self.attempt(records.close_episode, episode=self.current(), status="finished")

    @initialize(is_twice=st.booleans(), has_login=st.booleans(), is_same=st.booleans())
    def begin(self, is_twice, has_login, is_same):
        if is_twice:
            self.enter_the_patient_again(0, has_login, is_same)

    @precondition(lambda self: self.double is None)
    @rule(days=st.integers(-3, 3), has_login=st.booleans(), is_same=st.booleans())
    def enter_the_patient_again(self, days, has_login, is_same):
        """A second record of the same person, with the same operation or that of the other side."""
        self.double = make_patient(
            self.clinic, email="kid-again@example.com" if has_login else None,
            birth_date=date(2010, 1, 1), uses_nicotine=True,
        )  # fmt: skip
        make_carer(self.double, self.mother)
        on = (self.current().surgery_on or SURGERY) + timedelta(days=days)
        self.double_episode, _ = actions.book(
            **self.by(
                patient=self.double, version=self.versions[-1], side="left" if is_same else "right", surgery_on=on
            )
        )  # fmt: skip

    @precondition(lambda self: self.double is not None and not self.is_merged)
    @rule(takes_the_second_login=st.booleans())
    def make_the_two_records_one(self, takes_the_second_login):
        kept, ended = self.current().patient, type(self.double).objects.get(pk=self.double.pk)
        addresses = {user.email for user in (kept.user, ended.user) if user}
        login = ended.user if takes_the_second_login and ended.user else kept.user
        self.what_was_sent_never_changes()
        # An open operation beside one that has ended, on the same side, is another one: told of anew.
        is_another = self.double_episode.side == "left" and not booked_twice(kept, ended)
        told = set() if is_another else self.told
        merging.merge(
            **self.by(kept=kept, ended=ended, login=login, reason="entered twice")
        )  # fmt: skip
        self.is_merged, self.people[0] = True, login
        self.told_before_merging = {
            (login.email if address in addresses else address, *what) for address, *what in told
        }
        self.what_was_sent_only_changed_its_place(login)

    def what_was_sent_only_changed_its_place(self, login):
        """Merging may change whose sent rows are, to the login that stays, and of which episode."""
        rows = {row["id"]: row for row in Reminder.objects.filter(state="sent").values()}
        place = {"episode_id", "recipient_id"}
        for pk, before in self.sent_rows.items():
            assert {name for name in before if before[name] != rows[pk][name]} <= place
            if before["recipient_id"] != rows[pk]["recipient_id"]:
                assert rows[pk]["recipient_id"] == login.pk
        self.sent_rows = rows

    @rule(offset=st.integers(-5, -1))
    def approve_and_follow_a_version(self, offset):
        steps = STEPS | {"pack-bag": STEPS["pack-bag"] | {"offset_value": offset}}
        pathway = self.versions[0].pathway
        self.versions.append(
            make_version(self.clinic, steps, pathway=pathway, number=len(self.versions) + 1)
        )
        self.attempt(actions.follow_version, episode=self.current(), version=self.versions[-1])

    @rule(hour=st.integers(6, 11))
    def change_window(self, hour):
        self.clinic.sending_from = time(hour)
        save_setting(row=self.clinic, by=self.staff, changed=["sending_from"])

    @rule(pick=st.integers(0, 50), stop=st.booleans())
    def stop_or_send_now(self, pick, stop):
        rows = list(
            Reminder.objects.filter(state__in=("planned", "retrying")).order_by("due_at", "id")
        )
        if rows:
            act = actions.stop if stop else actions.send_now
            self.attempt(
                act, reminder=rows[pick % len(rows)], **({"reason": "phoned"} if stop else {})
            )

    @rule(is_on=st.booleans())
    def switch(self, is_on):
        set_sending(**self.by(is_on=is_on, reason="a test"))

    # What the machine does

    @rule(hours=st.integers(1, 96))
    def time_goes_by(self, hours):
        self.traveller.shift(timedelta(hours=hours))

    @rule()
    def plan(self):
        plan_requested(now=self.now)
        before = list(Reminder.objects.order_by("id").values())
        for episode in Episode.objects.all():
            assert reconcile(episode, now=self.now).is_empty
        assert list(Reminder.objects.order_by("id").values()) == before
        for episode in Episode.objects.select_related("patient__user", "version"):
            # A day from now, so that it is to come in every zone.
            assert differences(episode, self.now.date() + timedelta(days=1)) == []

    @rule()
    def let_all_be_well_for_a_day(self):
        """Nothing is off and the mail server takes everything: what was due, and stays so, comes to its end."""
        self.switch(is_on=True)
        plan_requested(now=self.now)
        # The longest wait is for the window of the next day, where the day's limit is reached.
        stays = self.now + timedelta(hours=32)
        due = Reminder.objects.open().filter(due_at__lte=self.now, valid_until__gt=stays)
        due = list(due.values_list("pk", flat=True))
        for _ in range(4):
            # Shorter than any window.
            self.time_goes_by(8)
            pipeline.recover(now=self.now)
            self.dispatch([], True)
            self.note_deliveries()
        assert not Reminder.objects.open().filter(pk__in=due).exists()

    @rule(
        answers=st.lists(st.sampled_from(["take", "later", "never", "crash"]), max_size=4),
        plans=st.booleans(),
    )
    def dispatch(self, answers, plans):
        if plans:
            plan_requested(now=self.now)
        Wire.answers = list(answers)
        try:
            pipeline.dispatch(now=self.now)
        except Crash:
            self.note_deliveries()

    @rule(lease_is_over=st.booleans())
    def recover(self, lease_is_over):
        if lease_is_over:
            self.traveller.shift(timedelta(minutes=11))
        pipeline.recover(now=self.now)
        assert not Message.objects.abandoned().exists()
        assert not Reminder.objects.due(self.now).filter(valid_until__lte=self.now).exists()

    # What must always hold

    @invariant()
    def note_deliveries(self):
        for message_id, address, body, crashed in Wire.taken[self.seen :]:
            ids = WHY.findall(body)
            rows = list(
                Reminder.objects.filter(id__in=ids).select_related("recipient", "episode__patient")
            )
            assert ids
            assert len(rows) == len(ids)
            assert {row.recipient.email for row in rows} == {address}
            self.check_delivery(message_id, rows)
            for row in rows:
                self.carried[str(row.pk)][message_id] += 1
                self.crashed[str(row.pk)] += crashed
                if row.kind == "step" and row.appointment_id is None and not crashed:
                    self.note_told(row)
        self.seen = len(Wire.taken)

    def note_told(self, row):
        """After a merge nobody is told again what they, or the login that ended, were told of the same operation."""
        is_double = self.double_episode is not None and row.episode_id == self.double_episode.pk
        side = self.double_episode.side if is_double else "left"
        what = (row.recipient.email, side, row.step_key, row.occurrence, row.correction)
        assert what not in self.told_before_merging or self.crashed[str(row.pk)]
        self.told.add(what)

    def check_delivery(self, message_id, rows):
        """Nothing goes to whom, about whom, when or of what it must not. The records are as they were then."""
        reader = rows[0].recipient
        for episode in {row.episode for row in rows}:
            self.check_episode(
                episode, reader, {row.kind for row in rows if row.episode == episode}
            )
        local = self.now.astimezone(ZoneInfo(reader.time_zone or "Europe/London"))
        assert self.clinic.sending_from <= local.time() < self.clinic.sending_until
        off = set(
            Preference.objects.filter(user=reader, is_on=False).values_list("category", flat=True)
        )
        for row in rows:
            assert self.now < row.valid_until
            assert row.is_essential or row.category not in off
        if not any(row.is_essential for row in rows):
            self.mails_a_day[reader.email, local.date()].add(message_id)

    def check_episode(self, episode, reader, kinds):
        patient = episode.patient
        assert patient.deceased_on is None
        assert not patient.is_restricted
        assert patient.merged_into_id is None
        assert episode.is_open or kinds <= {"surgery_cancelled", "visit_cancelled"}
        # The second record's operation is never called off; merging ends it as booked twice.
        assert episode != self.double_episode or "surgery_cancelled" not in kinds
        links = RelatedPerson.objects.filter(patient=patient, user=reader, ended_at=None)
        assert reader == patient.user or links.exists()

    @invariant()
    def no_reminder_comes_twice_but_for_crashes(self):
        for pk, messages in self.carried.items():
            assert len(messages) <= 1 + self.crashed[pk]
            assert sum(messages.values()) <= 1 + self.crashed[pk]

    @invariant()
    def nobody_gets_more_than_the_days_limit(self):
        for messages in self.mails_a_day.values():
            # A mail that was taken in a crash is counted once it is recorded.
            assert len(messages) <= self.clinic.daily_cap + sum(self.crashed.values())

    @invariant()
    def what_was_sent_never_changes(self):
        rows = {row["id"]: row for row in Reminder.objects.filter(state="sent").values()}
        assert self.sent_rows.items() <= rows.items()
        self.sent_rows = rows

    @invariant()
    def every_mail_has_one_message_id_and_every_sent_one_was_taken(self):
        taken = {message_id for message_id, *_ in Wire.taken}
        sent = set(Message.objects.filter(state="sent").values_list("message_id", flat=True))
        assert sent <= taken

    @invariant()
    def people_are_told_of_one_change_of_date_and_once_of_each_visit(self):
        notices = Reminder.objects.exclude(kind="step")
        # One that a dead worker had handed over is no longer to be stopped.
        crashed = [pk for pk, number in self.crashed.items() if number]
        of_the_date = notices.open().filter(kind__in=("surgery_moved", "surgery_postponed"))
        of_the_date = of_the_date.exclude(pk__in=crashed)
        told_twice = Counter(of_the_date.values_list("recipient", "episode"))
        assert max(told_twice.values(), default=0) <= 1
        of_visits = notices.filter(kind="visit_cancelled").values_list("recipient", "appointment")
        assert max(Counter(of_visits).values(), default=0) <= 1

    @invariant()
    def one_open_row_for_each_reminder(self):
        keys = (
            Reminder.objects.open()
            .filter(kind="step")
            .values_list("episode", "step_key", "occurrence", "recipient", "appointment")
        )
        assert len(keys) == len(set(keys))


class EnteredTwice(Family):
    """The same family; the child was entered twice, and got mail of both records before they were made one."""

    @initialize(
        days=st.integers(0, 30), earlier=st.integers(0, 7), is_same=st.sampled_from([True] * 3 + [False]),
        takes_the_second_login=st.booleans(),
    )  # fmt: skip
    def begin(self, days, earlier, is_same, takes_the_second_login):
        """With an earlier day in the second record, its mails are ahead of those of the first."""
        self.enter_the_patient_again(-earlier, True, is_same)
        self.time_goes_by(24 * days)
        self.live_for(4)
        self.make_the_two_records_one(takes_the_second_login)
        self.live_for(8)

    def live_for(self, days):
        for _ in range(days):
            self.time_goes_by(24)
            self.dispatch([], True)
            self.note_deliveries()


@pytest.mark.django_db
@pytest.mark.parametrize("machine", [Family, EnteredTwice])
def test_whatever_happens_the_rules_hold(settings, machine):
    settings.EMAIL_BACKEND = "tests.reminders.wire.Wire"
    normal = hypothesis_settings.get_current_profile_name() == "normal"
    options = {"max_examples": 8 if normal else 300, "stateful_step_count": 25 if normal else 60}

    run_state_machine_as_test(
        machine, settings=hypothesis_settings(hypothesis_settings(), **options)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("takes_the_second_login", [True, False])
def test_the_model_notices_what_would_be_told_twice_after_a_merge(settings, takes_the_second_login):
    """The mails of the second record are three days ahead when the two are made one."""
    settings.EMAIL_BACKEND = "tests.reminders.wire.Wire"
    family = EnteredTwice()
    try:
        family.begin(days=1, earlier=3, is_same=True, takes_the_second_login=takes_the_second_login)
        assert ("mother@example.com", "left", "smoke-free", 0, 0) in family.told_before_merging
    finally:
        family.teardown()


@pytest.mark.django_db
@pytest.mark.parametrize("is_planned", [True, False])
def test_only_what_was_planned_before_the_day_moved_comes_back_with_it(is_planned):
    """A parent's access ends: their mails are gone after any next plan, and not because of the move."""
    family = Family()
    try:
        family.end_or_give_access(1)
        if is_planned:
            plan_requested(now=family.now)
        before = Plan.of(family.episode)
        for day in (SURGERY + timedelta(days=9), SURGERY):
            family.move_surgery_to(day)
        lost = not_restored(before, Plan.of(family.episode), family.now, (time(8), time(20)))
    finally:
        family.teardown()

    assert bool(lost) is not is_planned
    assert all("mother@example.com" in line for line in lost)


def test_the_wire_gives_the_answers_that_mean_what_they_say():
    from portal.mail import answer_of

    assert answer_of(smtplib.SMTPDataError(451, b"4.3.0 later")).outcome == Outcome.TEMPORARY
    assert answer_of(smtplib.SMTPDataError(554, b"5.6.0 no")).outcome == Outcome.PERMANENT
