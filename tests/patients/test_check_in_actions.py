"""Sending a check-in, the alerts it raises, and what staff do about them."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from patients.actions import (
    acknowledge_alert,
    check_ins,
    escalate_alerts,
    resolve_alert,
    submit_check_in,
)
from patients.models import Alert, CheckIn, CheckInIsFinal, StepResponse
from portal import mail
from portal.models import AuditEvent
from procedures.models import Disagreement, Questionnaire, Resolution
from tests.patients.check_ins import discharged, send_home

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("questionnaires")]

CALM = {"pain": 3, "pain-held": True, "temperature": 36.8, "breathing": False, "numbness": "cut"}
FEVER = {**CALM, "temperature": 38.6}


def given(values):
    """Answers as a form hands them on."""
    kinds = {"temperature": "number", "pain": "scale", "numbness": "choice"}
    return [
        {"key": key, "kind": kinds.get(key, "yes_no"), "label": key, "language": "en-gb",
         "value": value, "shown": f"{value} °C" if key == "temperature" else str(value)}
        for key, value in values.items()
    ]  # fmt: skip


@pytest.fixture
def episode(people):
    return discharged(people)


@pytest.fixture
def tell(people, episode):
    """`tell(answers)` sends a check-in of the patient's own, from a form of its own unless said otherwise."""
    count = iter(range(100))

    def _tell(values, *, ticket="", now=people.now, by=None):
        return submit_check_in(
            episode=episode, questionnaire=Questionnaire.objects.get(key="adult-first-weeks"),
            answers=given(values), by=by or people.patient.user, now=now,
            ticket=ticket or f"form {next(count)}",
        )  # fmt: skip

    return _tell


def verbs(patient):
    events = AuditEvent.objects.filter(patient_id=patient.pk).order_by("id")
    return [(event.verb, event.actor_label) for event in events if event.verb != "episode.open"]


def test_a_calm_check_in_raises_nothing(tell, people):
    sent = tell(CALM)
    assert (sent.flags, sent.severity, sent.is_on_behalf) == ([], "", False)
    assert sent.local_date == people.now.date()
    assert not Alert.objects.exists()
    assert ("check_in.send", "Patricia O'Neill") in verbs(people.patient)


def test_a_warning_sign_raises_an_alert_in_the_clinics_language(tell, people):
    people.patient.user.language = "es"
    sent = tell(FEVER)
    alert = Alert.objects.get()
    assert (alert.rule_key, alert.severity, alert.sign) == ("fever", "urgent", "W2")
    assert alert.summary == "Fever: 38.6 °C"
    assert (alert.patient, alert.episode, alert.check_in) == (people.patient, sent.episode, sent)
    assert sent.flags[0]["summary"] == "Fiebre"
    assert ("alert.raise", "Stepwise") in verbs(people.patient)


def test_the_fever_is_where_the_clinic_settled_it(tell, people):
    point = Disagreement.objects.create(key="D23", topic="Fever")
    Resolution.objects.create(
        disagreement=point, clinic=people.clinic, own_value="39 °C or more", reason="x",
        resolved_by=people.manager, resolved_at=people.now,
    )  # fmt: skip
    tell(FEVER)
    assert not Alert.objects.exists()
    tell({**CALM, "temperature": 39.0})
    assert Alert.objects.get().summary == "Fever: 39.0 °C"


def test_several_signs_come_with_the_most_pressing_first(tell):
    sent = tell({**FEVER, "breathing": True, "numbness": "leg"})
    assert [flag["severity"] for flag in sent.flags] == ["emergency", "urgent", "urgent"]
    assert sent.flags[0]["key"] == "breathing"
    assert Alert.objects.count() == 3
    assert next(row.rule_key for row in Alert.objects.most_pressing_first()) == "breathing"


def test_the_same_form_sent_twice_acts_once(tell, people):
    first, second = tell(FEVER, ticket="one"), tell(FEVER, ticket="one")
    assert first == second
    assert (CheckIn.objects.count(), Alert.objects.get().times) == (1, 1)
    assert [verb for verb, _ in verbs(people.patient)].count("check_in.send") == 1


def test_other_answers_after_going_back_are_not_lost(tell):
    tell(CALM, ticket="one")
    tell({**CALM, "breathing": True}, ticket="one")
    assert CheckIn.objects.count() == 2
    assert Alert.objects.get().rule_key == "breathing"


def test_one_cause_has_one_open_alert(tell, people):
    tell(FEVER)
    later = people.now + timedelta(hours=3)
    newer = tell({**CALM, "temperature": 39.2}, now=later)
    alert = Alert.objects.get()
    assert (alert.times, alert.summary, alert.check_in) == (2, "Fever: 39.2 °C", newer)
    assert alert.raised_at == people.now


def test_the_database_refuses_a_second_open_alert_for_a_cause(tell):
    alert = (tell(FEVER), Alert.objects.get())[1]
    alert.pk, alert._state.adding = None, True
    with pytest.raises(IntegrityError), transaction.atomic():
        alert.save(force_insert=True)


def test_told_again_after_somebody_acknowledged_it_asks_again(tell, people):
    tell(FEVER)
    acknowledge_alert(alert=Alert.objects.get(), by=people.nurse, now=people.now)
    later = people.now + timedelta(hours=3)
    tell(FEVER, now=later)
    alert = Alert.objects.get()
    assert (alert.state, alert.times, alert.raised_at) == ("new", 2, later)


def test_a_milder_telling_does_not_make_an_alert_milder(tell, people):
    tell({**CALM, "breathing": True})
    Alert.objects.update(rule_key="fever")
    tell(FEVER)
    assert Alert.objects.get().severity == "emergency"


def test_after_it_is_resolved_the_same_cause_raises_a_new_one(tell, people):
    tell(FEVER)
    resolve_alert(alert=Alert.objects.get(), by=people.nurse, now=people.now, note="Seen today.")
    tell(FEVER)
    assert [row.times for row in Alert.objects.all()] == [1, 1]
    assert Alert.objects.open().count() == 1


def test_if_the_alert_cannot_be_raised_nothing_is_kept(tell):
    with (
        patch.object(check_ins, "raise_alert", side_effect=RuntimeError),
        pytest.raises(RuntimeError),
    ):
        tell(FEVER)
    assert not CheckIn.objects.exists()


def test_a_check_in_never_changes(tell):
    sent = tell(CALM)
    sent.answers = []
    for change in (sent.save, sent.delete, CheckIn.objects.all().delete):
        with pytest.raises(CheckInIsFinal):
            change()
    with pytest.raises(CheckInIsFinal):
        CheckIn.objects.update(answers=[])


@pytest.mark.parametrize("status", ["finished", "cancelled"])
def test_a_closed_episode_takes_no_answers(tell, episode, status):
    episode.status = status
    with pytest.raises(ValidationError, match="closed"):
        tell(CALM)


def test_a_carer_answers_on_behalf(tell, people):
    sent = tell(CALM, by=people.carer)
    assert (sent.is_on_behalf, sent.by) == (True, people.carer)


def test_the_days_check_in_step_counts_as_done(tell, people, episode):
    send_home(episode, days_ago=4, now=people.now)
    tell(CALM)
    # wound-check is due three days after discharge and holds for two days.
    done = StepResponse.objects.get()
    assert (done.step.key, done.occurrence, done.answer) == ("wound-check", 0, "done")


def test_a_step_of_another_day_stays_open(tell, people, episode):
    send_home(episode, days_ago=20, now=people.now)
    tell(CALM)
    assert not StepResponse.objects.exists()


def test_only_the_first_to_acknowledge_acts(tell, people):
    tell(FEVER)
    alert = Alert.objects.get()
    assert acknowledge_alert(alert=alert, by=people.nurse, now=people.now)
    assert not acknowledge_alert(alert=alert, by=people.surgeon, now=people.now)
    alert.refresh_from_db()
    assert alert.acknowledged_by == people.nurse
    assert verbs(people.patient)[-1] == ("alert.acknowledge", str(people.nurse))


def test_resolving_asks_for_a_note_and_happens_once(tell, people):
    tell(FEVER)
    alert = Alert.objects.get()
    with pytest.raises(ValidationError):
        resolve_alert(alert=alert, by=people.nurse, now=people.now, note="  ")
    assert resolve_alert(alert=alert, by=people.nurse, now=people.now, note="Came in, all well.")
    assert not resolve_alert(alert=alert, by=people.surgeon, now=people.now, note="Me too.")
    alert.refresh_from_db()
    assert (alert.state, alert.note, alert.acknowledged_by) == (
        "resolved", "Came in, all well.", people.nurse,
    )  # fmt: skip


def test_the_database_refuses_a_resolution_without_a_note(tell, people):
    tell(FEVER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.update(resolved_at=people.now, resolved_by=people.nurse)


# --- On call -----------------------------------------------------------------------------------------


@pytest.fixture
def waiting(tell, people):
    """An alert that was raised now, at a clinic that names an address on call."""
    people.clinic.on_call_email = "on.call@clinic.example"
    people.clinic.escalate_after_minutes = 30
    people.clinic.save()
    tell(FEVER)
    return Alert.objects.get()


def test_whoever_is_on_call_is_told_after_so_many_minutes(waiting, people, mailoutbox):
    assert escalate_alerts(now=people.now + timedelta(minutes=29, seconds=59)) == 0
    assert escalate_alerts(now=people.now + timedelta(minutes=30)) == 1
    assert [sent.to for sent in mailoutbox] == [["on.call@clinic.example"]]
    assert escalate_alerts(now=people.now + timedelta(hours=2)) == 0
    assert len(mailoutbox) == 1


def test_the_mail_names_nobody_and_nothing(waiting, people, mailoutbox):
    escalate_alerts(now=people.now + timedelta(minutes=30))
    raw = mailoutbox[0].message().as_string()
    assert f"/admin/alerts/{waiting.pk}/" in raw.replace("=\n", "")
    for telling in ("Patricia", "O'Neill", "H-001", "Fever", "38.6", "hip"):
        assert telling.lower() not in raw.lower().replace("harbour hip clinic", "")


def test_a_mail_that_did_not_go_is_tried_again_under_the_same_id(waiting, people):
    ids = []

    def refuse(one):
        ids.append(one.message_id)
        return mail.Answer(mail.Outcome.TEMPORARY, "451 later")

    with patch.object(mail, "send", refuse):
        assert escalate_alerts(now=people.now + timedelta(minutes=30)) == 0
        assert escalate_alerts(now=people.now + timedelta(minutes=31)) == 0
    assert len(set(ids)) == 1
    assert escalate_alerts(now=people.now + timedelta(minutes=32)) == 1


def test_an_alert_that_somebody_has_seen_is_not_escalated(waiting, people):
    acknowledge_alert(alert=waiting, by=people.nurse, now=people.now)
    assert escalate_alerts(now=people.now + timedelta(days=1)) == 0


def test_without_an_address_nobody_is_told(tell, people):
    tell(FEVER)
    assert escalate_alerts(now=people.now + timedelta(days=1)) == 0


def test_told_again_after_it_was_seen_it_can_be_escalated_again(waiting, people, tell):
    escalate_alerts(now=people.now + timedelta(minutes=30))
    acknowledge_alert(alert=waiting, by=people.nurse, now=people.now + timedelta(minutes=40))
    tell(FEVER, now=people.now + timedelta(hours=2))
    assert escalate_alerts(now=people.now + timedelta(hours=3)) == 1
