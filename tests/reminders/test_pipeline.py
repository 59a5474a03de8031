"""From due to sent: what goes, what waits, what is tried again, and what a crash leaves behind."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from patients import actions as records
from patients.models import PlanRequest
from portal.actions import set_sending
from portal.smtp import SmtpSender
from procedures.models import LatePolicy
from reminders import actions, boarding, emails, gates, journal, outcomes, pipeline
from reminders.letters import letters_of, store
from reminders.loading import load
from reminders.models import Decision, Message, Reminder, Sheet, Suppression
from reminders.reconciler import reconcile
from tests.factories import NOW, make_episode, make_patient, make_reminder, make_step, make_version

pytestmark = pytest.mark.django_db
LATER = timedelta(minutes=61)


@pytest.fixture
def due(people):
    """`due(n)`: n reminders, each for an own patient, due now, in order."""

    def make(number, **fields):
        made = []
        for place in range(number):
            patient = make_patient(people.clinic, email=f"reader-{place}@example.com")
            episode = make_episode(patient, people.adult_version)
            moment = {"due_at": NOW - timedelta(seconds=number - place)}
            made.append(make_reminder(episode, **(moment | fields)))
        return made

    return make


def states(rows):
    return [Reminder.objects.get(pk=row.pk).state for row in rows]


def dispatch(now=NOW, **options):
    return pipeline.dispatch(now=now, **options)


# What goes


def test_what_is_due_goes_and_what_is_not_stays(due, smtp_server):
    (now,) = due(1)
    later = make_reminder(now.episode, due_at=NOW + timedelta(seconds=1))

    tally = dispatch()

    assert states([now, later]) == ["sent", "planned"]
    assert (tally.sent, tally.total) == (1, 1)
    assert [mail.recipients for mail in smtp_server.delivered] == [["reader-0@example.com"]]


def test_a_sent_reminder_keeps_its_mail_its_moment_and_its_reason(due, smtp_server):
    (row,) = due(1)

    dispatch()

    row.refresh_from_db()
    message = row.message
    assert (row.settled_at, row.lease_until, message.state, message.sent_at) == (
        NOW,
        None,
        "sent",
        NOW,
    )
    assert message.message_id == smtp_server.delivered[0].message["Message-ID"]
    assert (message.subject, message.attempts) == (smtp_server.delivered[0].subject, 1)
    decision = row.decisions.get()
    assert (decision.outcome, decision.gate) == ("send", "all_gates")


def test_of_many_mails_alike_each_is_stored_as_it_went_and_what_they_share_once(due, smtp_server):
    due(40)

    with CaptureQueriesContext(connection) as asked:
        dispatch()

    went = {mail.message["Message-ID"]: mail.message for mail in smtp_server.delivered}
    messages = list(Message.objects.select_related("sheet"))
    assert len(went) == len(messages) == 40
    for message in messages:
        for kind, part in (("plain", message.text), ("html", message.html)):
            there = went[message.message_id].get_body((kind,)).get_content()
            assert there.rstrip().splitlines() == part.rstrip().splitlines()
    printed = [message for message in messages if message.sheet]
    assert len(printed) >= 36
    assert Sheet.objects.count() == 1
    assert sum('INTO "reminders_sheet"' in query["sql"] for query in asked) == 1
    assert {(message.whole_text, message.whole_html) for message in printed} == {("", "")}


def test_nothing_is_sent_twice(due, smtp_server):
    due(3)

    dispatch()
    again = dispatch(NOW + LATER)

    assert (len(smtp_server.delivered), again.total) == (3, 0)


def test_the_oldest_goes_first(due, smtp_server):
    due(3)

    dispatch()

    assert [mail.recipients[0][:8] for mail in smtp_server.delivered] == [
        "reader-0",
        "reader-1",
        "reader-2",
    ]


def test_what_falls_in_one_slot_for_one_person_is_one_mail(planned, smtp_server):
    for key in ("pack-bag", "insurer"):
        Reminder.objects.filter(episode=planned.episode, step_key=key).update(due_at=NOW)

    dispatch()

    (mail,) = smtp_server.to("pat@example.com")
    assert mail.subject == "Your next steps from Harbour Hip Clinic"
    assert "Pack bag" in mail.text
    assert "Insurer" in mail.text


def test_what_is_late_goes_in_one_catch_up_mail_or_stays_out_as_its_policy_says(
    people, smtp_server
):
    steps = {
        policy: {"anchor": "decision", "offset_value": -number, "late_policy": policy}
        for number, policy in enumerate(LatePolicy.values, start=1)
    }
    version = make_version(people.clinic, steps, number=7)
    episode = make_episode(make_patient(people.clinic, email="late@example.com"), version)
    episode.anchor_dates.update_or_create(anchor="decision", defaults={"on": NOW.date()})

    reconcile(episode, now=NOW)
    dispatch()

    ends = Reminder.objects.filter(episode=episode).values_list("step_key", "state", "reason")
    assert sorted(ends) == [
        ("catch_up", "sent", ""),
        ("portal_only", "skipped", "portal_only"),
        ("send_now", "sent", ""),
        ("skip", "skipped", "too_late"),
    ]
    assert len(smtp_server.to("late@example.com")) == 1


def test_two_children_of_one_parent_come_in_one_mail_that_names_them(planned, smtp_server):
    Reminder.objects.filter(step_key="day-before").update(due_at=NOW)

    dispatch()

    (mail,) = smtp_server.to("maya@example.com")
    assert "Kim Kidd" in mail.text
    assert "Sasha Kidd" in mail.text


def test_two_parents_get_a_mail_each_and_neither_sees_the_other(planned, smtp_server):
    Reminder.objects.filter(episode=planned.child_episode, step_key="pack-toys").update(
        due_at=NOW + timedelta(hours=5)
    )

    dispatch(NOW + timedelta(hours=5))

    for own, other in (
        ("maya@example.com", "finn@example.com"),
        ("finn@example.com", "maya@example.com"),
    ):
        (mail,) = smtp_server.to(own)
        assert other.encode() not in mail.raw
        assert mail.recipients == [own]


def test_more_than_one_batch_goes_in_one_run(due, smtp_server, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH", 2)
    due(5)

    assert dispatch().sent == 5


def test_a_run_looks_at_no_more_than_it_is_told_to(due, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH", 2)
    due(6)

    assert dispatch(most=3).total == 4


def test_a_batch_costs_the_same_queries_however_many_reminders_it_holds(
    due, django_assert_num_queries
):
    due(6)
    ids = pipeline.claim(token="t", now=NOW)

    with django_assert_num_queries(5):
        loaded = pipeline.load(ids, "t")
    with django_assert_num_queries(6):
        gates.Surroundings.of(loaded, NOW)
    with django_assert_num_queries(0):
        assert [gates.decide(row, around_nothing(loaded)).outcome for row in loaded] == ["send"] * 6


def around_nothing(loaded):
    return gates.Surroundings(
        NOW, frozenset(), frozenset(), frozenset(), frozenset(), frozenset(), gates.Counter()
    )


# What does not go


def test_the_kill_switch_stops_everything_and_loses_nothing(due, people, smtp_server):
    rows = due(2)
    set_sending(is_on=False, by=people.manager, now=NOW, reason="wrong texts")

    assert dispatch().total == 0
    assert states(rows) == ["planned"] * 2

    set_sending(is_on=True, by=people.manager, now=NOW)
    assert dispatch().sent == 2


def test_what_a_gate_puts_off_waits_and_says_why(due, people):
    (row,) = due(1)
    night = NOW.replace(hour=22)

    tally = dispatch(night)

    row.refresh_from_db()
    assert (tally.waiting, row.state, row.due_at) == (1, "planned", NOW.replace(day=3, hour=8))
    assert row.decisions.get().gate == "sending_window"


def test_what_a_gate_refuses_ends_with_its_reason(due, mailoutbox):
    (row,) = due(1)
    actions.choose(
        user=row.recipient, category=row.category, is_on=False, by=row.recipient, now=NOW
    )

    assert dispatch().ended == 1

    row.refresh_from_db()
    assert (row.state, row.reason, row.settled_at) == ("skipped", "switched_off", NOW)
    assert (row.decisions.get().outcome, mailoutbox) == ("skip", [])


def test_a_staffs_send_now_outside_the_window_goes_in_the_morning(planned, smtp_server):
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    night = NOW.replace(hour=22)
    actions.send_now(reminder=row, by=planned.nurse, now=night)

    dispatch(night)
    reconcile(planned.episode, now=night)
    assert smtp_server.delivered == []

    dispatch(NOW.replace(day=3, hour=8))
    assert [mail.subject for mail in smtp_server.delivered] == ["Your next step: Pack bag"]


def test_the_days_limit_counts_the_mails_of_one_batch(people, smtp_server):
    people.clinic.daily_cap = 2
    people.clinic.save()
    PlanRequest.objects.all().delete()
    rows = [retrying(make_reminder(people.episode), people) for _ in range(4)]

    tally = dispatch()

    assert (tally.sent, tally.waiting) == (2, 2)
    assert sorted(states(rows)) == ["planned", "planned", "sent", "sent"]


def test_an_essential_mail_goes_beyond_the_days_limit(people, smtp_server):
    people.clinic.daily_cap = 0
    people.clinic.save()
    PlanRequest.objects.all().delete()
    row, other = (
        make_reminder(people.episode, is_essential=True),
        make_reminder(people.other_episode),
    )

    dispatch()

    assert states([row, other]) == ["sent", "planned"]


# Between claim and hand-over


@pytest.fixture
def meanwhile(monkeypatch):
    """`meanwhile(do)`: `do` happens after the gates were asked and before the mail is handed over."""

    def arrange(do):
        writing = pipeline.write_items

        def write_and_do(*args, **kwargs):
            result = writing(*args, **kwargs)
            do()
            monkeypatch.setattr(pipeline, "write_items", writing)
            return result

        monkeypatch.setattr(pipeline, "write_items", write_and_do)

    return arrange


def test_nothing_goes_about_a_patient_who_died_between_claim_and_sending(
    due, people, meanwhile, smtp_server
):
    (row,) = due(1)
    patient = row.episode.patient
    meanwhile(
        lambda: records.mark_deceased(patient=patient, on=NOW.date(), by=people.nurse, now=NOW)
    )

    dispatch()

    row.refresh_from_db()
    assert (smtp_server.delivered, row.state, row.reason) == ([], "cancelled", "patient_deceased")


def test_nothing_goes_that_was_cancelled_between_claim_and_sending(planned, meanwhile, smtp_server):
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    Reminder.objects.filter(pk=row.pk).update(due_at=NOW)
    meanwhile(
        lambda: actions.cancel_surgery(
            episode=planned.episode, by=planned.clerk, now=NOW, reason="ill"
        )
    )

    dispatch()

    row.refresh_from_db()
    assert (row.state, row.reason) == ("cancelled", "dropped_from_plan")
    assert [mail.subject for mail in smtp_server.to("pat@example.com")] == [
        "Your date has been cancelled"
    ]


def test_what_moved_between_claim_and_sending_goes_at_its_new_time_only(
    planned, meanwhile, smtp_server
):
    row = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")
    Reminder.objects.filter(pk=row.pk).update(due_at=NOW)
    on = planned.surgery_on + timedelta(days=14)
    meanwhile(
        lambda: actions.move_anchor(
            episode=planned.episode, anchor="surgery", on=on, by=planned.clerk, now=NOW
        )
    )

    dispatch()
    assert [mail.subject for mail in smtp_server.to("pat@example.com")] == ["Your date has changed"]

    row.refresh_from_db()
    assert (row.state, row.correction) == ("planned", 0)
    dispatch(row.due_at)
    assert "Your next step: Pack bag" in [
        mail.subject for mail in smtp_server.to("pat@example.com")
    ]


def test_what_is_left_of_a_mail_goes_when_one_of_its_reminders_was_taken_out(
    planned, meanwhile, smtp_server
):
    Reminder.objects.filter(episode=planned.episode, step_key__in=("pack-bag", "insurer")).update(
        due_at=NOW
    )
    bag = Reminder.objects.get(episode=planned.episode, step_key="pack-bag")

    def drop_the_bag():
        Reminder.objects.filter(pk=bag.pk).update(state="cancelled", lease_until=None)

    meanwhile(drop_the_bag)

    dispatch()

    (mail,) = smtp_server.to("pat@example.com")
    assert "Insurer" in mail.text
    assert "Pack bag" not in mail.text


# One poisoned reminder


def poison(monkeypatch, where, name, row):
    real = getattr(where, name)

    def fail_for_one(*args, **kwargs):
        given = args[-2] if name != "decide" else args[0]
        rows = given if isinstance(given, list) else [given]
        if row.pk in {each.pk for each in rows}:
            raise KeyError("no such thing")
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, fail_for_one)


@pytest.mark.parametrize(("where", "name"), [(gates, "decide"), (emails, "compose")])
def test_one_poisoned_reminder_holds_up_no_other(
    due, smtp_server, monkeypatch, where, name, caplog
):
    first, bad, last = due(3)
    poison(monkeypatch, where, name, bad)

    dispatch()

    assert states([first, bad, last]) == ["sent", "failed", "sent"]
    bad.refresh_from_db()
    assert bad.reason == "fault"
    assert str(bad.pk) in caplog.text


def test_a_reminder_without_words_is_set_aside_and_holds_up_no_other(due, people, smtp_server):
    (good,) = due(1)
    draft = make_version(people.clinic, is_approved=False)
    bad = make_reminder(good.episode, make_step(draft, "mute", texts={"ar": {}}))

    dispatch()

    bad.refresh_from_db()
    assert (states([good]), bad.state, bad.reason) == (["sent"], "failed", "text_incomplete")


def test_a_mail_whose_header_cannot_be_written_is_set_aside(due, smtp_server, monkeypatch):
    first, second = due(2)
    monkeypatch.setattr(
        emails, "_headers", lambda url: {"List-Unsubscribe": "<a>\nBcc: eve@example.com"}
    )

    dispatch()

    assert states([first, second]) == ["failed", "failed"]
    assert smtp_server.delivered == []


# The mail server's answers


def retrying(row, people):
    """A reminder whose mail was refused for now."""
    message = Message.objects.create(
        clinic=people.clinic, recipient=row.recipient, category=row.category, message_id=f"<{row.pk}@test>",
        to_address=row.recipient.email, subject="s", text="t", html="h", state="retrying", attempts=1,
    )  # fmt: skip
    Reminder.objects.filter(pk=row.pk).update(state="retrying", message=message)
    return row


def test_a_temporary_refusal_is_tried_again_with_the_same_message_id(due, smtp_server):
    (row,) = due(1)
    smtp_server.data_replies.append("451 4.3.0 try later")

    dispatch()
    row.refresh_from_db()
    assert (row.state, row.due_at, row.message.state) == (
        "retrying",
        NOW + timedelta(minutes=1),
        "retrying",
    )
    assert dispatch().total == 0

    dispatch(NOW + timedelta(minutes=1))
    row.refresh_from_db()
    assert (row.state, row.message.attempts) == ("sent", 2)
    ids = {mail.message["Message-ID"] for mail in smtp_server.refused + smtp_server.delivered}
    assert len(ids) == 1


def test_waits_double_up_to_an_hour(due, smtp_server):
    (row,) = due(1, valid_until=NOW + timedelta(days=9))
    now, waits = NOW, []
    for _ in range(9):
        smtp_server.data_replies.append("451 4.3.0 try later")
        dispatch(now)
        row.refresh_from_db()
        waits.append((row.due_at - now) / timedelta(minutes=1))
        now = row.due_at

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_is_refused_until_it_is_no_longer_valid_is_missed(due, smtp_server):
    (row,) = due(1, valid_until=NOW + timedelta(seconds=90))
    for moment in (NOW, NOW + timedelta(seconds=60)):
        smtp_server.data_replies.append("451 4.3.0 try later")
        dispatch(moment)
    row.refresh_from_db()
    assert row.due_at == row.valid_until

    assert pipeline.recover(now=row.valid_until) == (0, 1)

    row.refresh_from_db()
    assert (row.state, row.reason, row.message.state) == ("missed", "too_old", "withdrawn")
    assert row.decisions.last().outcome == "miss"


def test_a_permanent_refusal_fails_that_one_and_no_other(due, smtp_server):
    rows = due(2)
    smtp_server.data_replies.append("554 5.6.0 not like this")

    dispatch()

    assert states(rows) == ["failed", "sent"]
    rows[0].refresh_from_db()
    assert (rows[0].reason, rows[0].message.state) == ("refused", "failed")
    assert not Suppression.objects.exists()


def test_an_address_that_does_not_exist_is_suppressed_and_not_tried_again(due, smtp_server):
    (row,) = due(1)
    smtp_server.rcpt_replies.append("550 5.1.1 no such user")

    dispatch()
    again = make_reminder(row.episode)
    dispatch()

    assert Suppression.objects.get().address == "reader-0@example.com"
    assert states([row, again]) == ["failed", "failed"]
    again.refresh_from_db()
    assert (again.reason, smtp_server.delivered) == ("address_suppressed", [])


def test_no_server_at_all_loses_nothing(due, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    rows = due(3)

    dispatch()

    assert set(states(rows)) == {"retrying"}


# Crashes


@pytest.fixture
def crash_after_acceptance(monkeypatch):
    """`crash_after_acceptance()`: a run that ends when the server has answered and nothing is recorded."""

    def crash():
        with monkeypatch.context() as patch:
            patch.setattr(
                outcomes, "record", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt)
            )
            with pytest.raises(KeyboardInterrupt):
                dispatch()

    return crash


def test_a_crash_between_acceptance_and_record_is_made_good_from_the_journal(
    due, smtp_server, crash_after_acceptance
):
    refused, *sent = due(3)
    smtp_server.data_replies.append("550 5.7.1 spam")
    crash_after_acceptance()
    assert set(states([refused, *sent])) == {"claimed"}

    dispatch()

    assert len(smtp_server.delivered) == 2
    assert states([refused, *sent]) == ["failed", "sent", "sent"]
    assert set(Message.objects.values_list("state", "last_response")) == {
        ("failed", "550 5.7.1 spam"),
        ("sent", "250 2.0.0 OK"),
    }
    assert Decision.objects.count() == 3
    assert pipeline.dispatch(now=NOW).total == 0


def test_the_journal_counts_even_where_the_lease_ran_out_first(
    due, smtp_server, crash_after_acceptance, stopped_clock
):
    (row,) = due(1)
    crash_after_acceptance()
    stopped_clock.shift(pipeline.LEASE + timedelta(seconds=1))
    assert pipeline.recover(now=timezone.now()) == (1, 0)

    dispatch(timezone.now())

    assert (states([row]), len(smtp_server.delivered)) == (["sent"], 1)


def test_what_a_dead_worker_held_and_had_not_sent_goes_at_once(due, smtp_server, monkeypatch):
    rows = due(2)
    with monkeypatch.context() as patch:
        patch.setattr(
            SmtpSender, "send", lambda *args, **options: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            dispatch()
    assert states(rows) == ["claimed", "claimed"]

    assert dispatch().sent == 2

    assert len(smtp_server.delivered) == 2
    assert Message.objects.count() == 2


def test_a_crash_after_which_the_journal_is_gone_sends_the_same_mail_again(
    due, smtp_server, crash_after_acceptance, stopped_clock
):
    (row,) = due(1)
    crash_after_acceptance()
    assert states([row]) == ["claimed"]
    for file in journal.folder().iterdir():
        file.unlink()

    assert pipeline.recover(now=timezone.now()) == (0, 0)
    stopped_clock.shift(pipeline.LEASE + timedelta(seconds=1))
    assert pipeline.recover(now=timezone.now()) == (1, 0)
    dispatch(timezone.now())

    first, second = smtp_server.delivered
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert states([row]) == ["sent"]
    assert Message.objects.count() == 1


def test_a_crash_before_the_mail_was_made_leaves_nothing_behind(
    due, smtp_server, monkeypatch, stopped_clock
):
    (row,) = due(1)
    pipeline.claim(token="dead", now=NOW)
    stopped_clock.shift(pipeline.LEASE + timedelta(seconds=1))

    pipeline.recover(now=timezone.now())
    dispatch(timezone.now())

    assert (states([row]), len(smtp_server.delivered), Message.objects.count()) == (["sent"], 1, 1)


def test_a_worker_whose_lease_ran_out_sends_nothing_it_still_holds(
    due, smtp_server, monkeypatch, stopped_clock
):
    """A slow worker wakes up after its reminders were taken back and claimed by another."""
    first, second = due(2)
    board = boarding.board

    def slow(pairs, *args):
        if second.pk in pairs:
            stopped_clock.shift(pipeline.LEASE / 4)
            Reminder.objects.filter(pk=second.pk).update(lease_until=timezone.now())
            stopped_clock.shift(1)
            pipeline.recover(now=timezone.now())
            pipeline.claim(token="another", now=timezone.now())
        return board(pairs, *args)

    monkeypatch.setattr(pipeline.boarding, "board", slow)

    dispatch()

    assert (states([first, second]), len(smtp_server.delivered)) == (["sent", "claimed"], 1)


def test_what_was_taken_back_while_its_mail_was_on_its_way_here_goes_once(
    due, smtp_server, monkeypatch
):
    rows = due(3)
    monkeypatch.setattr(pipeline, "BATCH", 2)
    claim, claims = pipeline.claim, []

    def after_a_step_of_the_clock(**asked):
        claims.append(asked)
        if len(claims) == 2:
            Reminder.objects.filter(state="claimed").update(state="retrying", lease_until=None)
        return claim(**asked)

    monkeypatch.setattr(pipeline, "claim", after_a_step_of_the_clock)

    dispatch()

    assert sorted(mail.recipients[0] for mail in smtp_server.delivered) == [
        f"reader-{place}@example.com" for place in range(3)
    ]
    assert states(rows) == ["sent"] * 3
    assert Message.objects.count() == 3


def test_what_went_is_sent_whoever_holds_it_by_now(due, smtp_server, monkeypatch):
    """Taken back from a worker between the server's answer and its record: nobody need send it again."""
    (row,) = due(1)
    recording, overtaken = outcomes.record, []

    def late(*args):
        Reminder.objects.update(claimed_by="another")
        overtaken.extend(letters_of(load([row.pk], "another")))
        recording(*args)

    monkeypatch.setattr(outcomes, "record", late)
    dispatch()
    assert states([row]) == ["sent"]

    # The other one has read it before, and puts it into words now.
    (letter,) = overtaken
    letter.fields = {"subject": "Another mail"}
    store([letter], NOW)

    message = Message.objects.get()
    assert (message.state, message.sent_at) == ("sent", NOW)
    assert message.subject != "Another mail"
    assert boarding.board({row.pk: message.pk}, "another", NOW, NOW.date()) == set()
    assert len(smtp_server.delivered) == 1


def test_nothing_is_begun_that_could_outlast_its_lease(
    due, smtp_server, monkeypatch, stopped_clock
):
    rows = due(4)
    sending = SmtpSender.send

    def slow(self, feed, **options):
        for each in sending(self, feed, **options):
            stopped_clock.shift(pipeline.LEASE / 4)
            yield each

    monkeypatch.setattr(SmtpSender, "send", slow)
    tally = dispatch(most=1)

    assert 1 <= tally.sent < 4
    assert tally.sent + tally.waiting == 4
    assert sorted(states(rows)) == ["retrying"] * tally.waiting + ["sent"] * tally.sent
    assert Message.objects.count() == len(smtp_server.delivered) == tally.sent
    assert dispatch(timezone.now()).sent == tally.waiting


def test_what_a_clock_ahead_took_back_goes_once_the_clock_is_right_again(due, stopped_clock):
    (row,) = due(1)
    pipeline.claim(token="dead", now=NOW)
    stopped_clock.shift(timedelta(hours=2))
    assert pipeline.recover(now=timezone.now()) == (1, 0)
    stopped_clock.shift(-timedelta(hours=2))

    pipeline.recover(now=timezone.now())

    assert dispatch(timezone.now()).sent == 1
    assert states([row]) == ["sent"]


def test_a_wait_that_no_refusal_asks_for_comes_from_a_clock_that_was_ahead(due):
    longest = outcomes.LONGEST_WAIT
    waits = [longest, longest + 2 * pipeline.LEASE]
    rows = due(2, state="retrying")
    for row, wait in zip(rows, waits, strict=True):
        Reminder.objects.filter(pk=row.pk).update(due_at=NOW + wait)

    pipeline.recover(now=NOW)

    for row in rows:
        row.refresh_from_db()
    assert [row.due_at - NOW for row in rows] == [longest, timedelta()]


def test_a_lease_is_counted_on_the_machines_clock(due, stopped_clock):
    """The demo's clock can jump by months while a worker sends."""
    due(1)
    pipeline.claim(token="t", now=NOW)

    assert pipeline.recover(now=NOW + timedelta(days=90))[0] == 0


def test_recovering_marks_what_is_no_longer_valid_and_says_so(due):
    stale, fresh = due(1, valid_until=NOW)[0], make_reminder_like(due)

    assert pipeline.recover(now=NOW) == (0, 1)

    assert states([stale, fresh]) == ["missed", "planned"]
    assert Decision.objects.get().gate == "too_old"
    assert pipeline.recover(now=NOW) == (0, 0)


def make_reminder_like(due):
    return make_reminder(Reminder.objects.get().episode, valid_until=NOW + timedelta(seconds=1))


def test_after_an_outage_what_is_valid_goes_and_what_is_not_is_missed(due, people, smtp_server):
    old = due(1, due_at=NOW - timedelta(days=5), valid_until=NOW - timedelta(days=3))
    new = make_reminder(old[0].episode, due_at=NOW - timedelta(days=1))

    pipeline.recover(now=NOW)
    dispatch()

    assert states([*old, new]) == ["missed", "sent"]
    assert len(smtp_server.delivered) == 1


def test_a_mail_nobody_waits_for_any_more_ends_as_withdrawn(due, people):
    (row,) = due(1)
    message = Message.objects.get(reminders=retrying(row, people))
    actions.stop(reminder=row, by=people.nurse, now=NOW, reason="told by phone")

    pipeline.recover(now=NOW)

    message.refresh_from_db()
    assert message.state == "withdrawn"
