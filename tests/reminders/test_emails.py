"""Reminders put into words: subject, both parts, headers, links, languages and calendar files."""

import json
from datetime import date, time

import pytest
from icalendar import Calendar

from patients.models import PlanRequest
from portal.wire import on_the_wire
from procedures.wording import clinic_values
from reminders import compiled, emails, pipeline, unsubscribe
from reminders.models import Message, Reminder, Sheet
from tests.factories import NOW, make_appointment, make_reminder, make_step, make_version

pytestmark = pytest.mark.django_db


def loaded(*rows):
    Reminder.objects.filter(pk__in=[row.pk for row in rows]).update(
        state="claimed", claimed_by="t", lease_until=NOW
    )
    return pipeline.load([row.pk for row in rows], "t")


def composed(*rows):
    """The message that carries the rows, as the pipeline would store it."""
    reminders, writer = loaded(*rows), emails.Writer()
    made = emails.compose(reminders, [writer.draft(row) for row in reminders])
    return made | {"text": made["printed"].text, "html": made["printed"].html}


@pytest.fixture
def bag(people):
    return make_reminder(people.episode, people.adult_version.steps.get(key="pack-bag"))


def xray(people, on=date(2026, 6, 10), at=time(14, 30)):
    visit = make_appointment(people.episode, on=on, at=at, location=people.location)
    return make_reminder(
        people.episode, people.adult_version.steps.get(key="xray-visit"), appointment=visit
    )


def own_step(people, **words):
    return make_step(make_version(people.clinic, is_approved=False), "own", texts={"en-gb": words})


def test_a_mail_has_its_words_filled_in(bag):
    mail = composed(bag)

    assert mail["subject"] == "Your next step: Pack bag"
    assert mail["to_address"] == "pat@example.com"
    for part in (mail["text"], mail["html"]):
        assert "Monday 27 April 2026" in part
        assert "020 7946 0001" in part
    assert "Dear Patricia, Patricia has surgery" in mail["text"]


def test_the_subject_names_no_procedure_and_no_patient(people):
    for row in (make_reminder(people.episode), xray(people)):
        subject = composed(row)["subject"]
        for word in ("osteotomy", "Patricia", "O'Neill", "periacetabular"):
            assert word.lower() not in subject.lower()


def test_names_are_not_escaped_in_text_and_are_in_html(people):
    people.patient.given_name = "D'Arcy <b>"
    people.patient.save()
    row = make_reminder(
        people.episode, people.adult_version.steps.get(key="pack-bag"), recipient=people.carer
    )

    mail = composed(row)

    assert "D'Arcy <b> O'Neill" in mail["text"]
    assert "<b> O" not in mail["html"]
    assert "D&#x27;Arcy &lt;b&gt; O&#x27;Neill" in mail["html"]


def test_several_reminders_are_one_mail_under_a_neutral_subject(people, bag):
    mail = composed(
        bag, make_reminder(people.episode, people.adult_version.steps.get(key="insurer"))
    )

    assert mail["subject"] == "Your next steps from Harbour Hip Clinic"
    assert mail["text"].count("About: Insurer.") == 1


def test_a_correction_says_so(bag):
    Reminder.objects.filter(pk=bag.pk).update(correction=1)

    mail = composed(bag)

    assert mail["subject"] == "New date: Your next step: Pack bag"
    assert "The date has changed." in mail["text"]
    assert "The date has changed." in mail["html"]


def test_a_subject_is_one_line_and_fits_its_column(people):
    step = make_step(
        make_version(people.clinic, is_approved=False),
        "own",
        texts={"en-gb": {"subject": "a {clinic_name}"}},
    )
    people.clinic.name = "Clinic\r\nBcc: eve@example.com " + "x" * 100
    people.clinic.save()
    row = make_reminder(people.episode, step, correction=1)

    subject = composed(row)["subject"]

    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) <= 200


def test_a_mail_is_in_its_readers_language(people, bag):
    people.patient.user.language = "es"
    people.patient.user.save()

    mail = composed(bag)

    assert mail["subject"] == "Su próximo paso"
    assert 'lang="es"' in mail["html"]


def test_what_is_not_translated_stands_in_english_and_says_so(people, bag):
    people.patient.user.language = "ar"
    people.patient.user.save()

    mail = composed(bag)

    assert '<html lang="ar" dir="rtl">' in mail["html"]
    for part in (mail["text"], mail["html"]):
        assert "مرحبًا Patricia" in part
        assert "هذا النص ليس متوفرًا بلغتك بعد" in part
        # What is filled into an English sentence is English too.
        assert "Monday 27 April 2026" in part
        assert "أبريل" not in part
    assert '<h1 lang="en-gb" dir="ltr"' in mail["html"]
    assert '<div lang="en-gb" dir="ltr">' in mail["html"]
    assert '<bdi dir="ltr">020 7946 0001</bdi>' in mail["html"]


def test_what_is_translated_is_not_marked(people, bag):
    people.patient.user.language = "es"
    people.patient.user.save()

    mail = composed(bag)

    assert "Hola, Patricia:" in mail["text"]
    assert "no está en su idioma" not in mail["text"]
    assert "<h1 style" in mail["html"]


def test_each_of_two_readers_gets_their_own_language_in_one_batch(people, bag):
    people.carer.language = "ar"
    people.carer.save()
    people.patient.user.language = "es"
    people.patient.user.save()
    step = people.adult_version.steps.get(key="pack-bag")
    other = make_reminder(people.episode, step, recipient=people.carer)
    writer, (spanish, arabic) = emails.Writer(), loaded(bag, other)
    rows = {row.recipient.language: row for row in (spanish, arabic)}

    for _time in range(3):
        for language, greeting in (("es", "Hola, "), ("ar", "مرحبًا ")):
            row = rows[language]
            mail = emails.compose([row], [writer.draft(row)])["printed"]
            assert f'<html lang="{language}"' in mail.html
            assert mail.text.startswith(greeting)


def test_an_american_reader_of_a_british_text_has_american_dates(people, bag):
    people.patient.user.language = "en-us"
    people.patient.user.save()

    assert "Monday, April 27, 2026" in composed(bag)["text"]


def test_a_language_without_words_falls_back_to_english(people, bag):
    people.patient.user.language = "en-us"
    people.patient.user.save()

    assert composed(bag)["subject"] == "Your next step: Pack bag"


def test_a_placeholder_that_cannot_be_filled_is_refused(people):
    step = make_step(
        make_version(people.clinic, is_approved=False),
        "own",
        texts={"en-gb": {"body": "On {window_from}."}},
    )

    (row,) = loaded(make_reminder(people.episode, step))

    with pytest.raises(emails.Unwritable, match="window_from"):
        emails.Writer().item(row)


def test_the_window_of_an_x_ray_is_filled_in(people):
    row = make_reminder(people.episode, people.adult_version.steps.get(key="xray-window"))

    assert "between Monday 8 June 2026 and Monday 22 June 2026" in composed(row)["text"].replace(
        "\n", " "
    )


# Stopping mail


def test_a_mail_can_be_stopped_by_its_category_with_one_click(bag, settings):
    mail = composed(bag)

    link = mail["headers"]["List-Unsubscribe"]
    assert mail["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link.startswith(f"<{settings.BASE_URL}/")
    choice = unsubscribe.read(link.strip("<>").rstrip("/").rpartition("/")[2])
    assert choice == (bag.recipient_id, "preparation")
    assert link.strip("<>") in mail["text"]


def test_an_essential_mail_says_why_it_cannot_be_stopped(bag):
    Reminder.objects.filter(pk=bag.pk).update(is_essential=True)

    mail = composed(bag)

    assert mail["headers"] == {}
    assert "cannot be stopped" in mail["text"]
    assert "cannot be stopped" in mail["html"]


def test_a_mail_of_both_kinds_can_be_stopped_by_the_one_that_may(people, bag):
    Reminder.objects.filter(pk=bag.pk).update(is_essential=True)
    other = make_reminder(people.episode, people.adult_version.steps.get(key="anniversary"))

    mail = composed(bag, other)

    assert mail["category"] == "recovery"
    assert "List-Unsubscribe" in mail["headers"]


@pytest.mark.parametrize("token", ["", "nonsense", "WyJhIiwiYiJd:1abc:def"])
def test_a_link_that_is_not_ours_is_refused(token):
    with pytest.raises(ValueError, match="not made by us"):
        unsubscribe.read(token)


def test_a_link_for_another_purpose_is_refused(people):
    from django.core import signing

    token = signing.dumps([str(people.nobody.pk), "xray"], salt="something.else")

    with pytest.raises(ValueError, match="not made by us"):
        unsubscribe.read(token)


# Visits


def test_a_visit_comes_with_its_place_its_time_and_a_calendar_file(people):
    mail = composed(xray(people))

    assert "Wednesday 10 June 2026 at 14:30 to X-ray department, 1 Quay Street, London" in mail[
        "text"
    ].replace("\n", " ")
    (event,) = Calendar.from_ical(mail["calendar"]).walk("VEVENT")
    assert event["dtstart"].dt.isoformat() == "2026-06-10T14:30:00+01:00"


def test_two_visits_in_one_mail_are_two_events(people):
    mail = composed(xray(people), xray(people, on=date(2026, 7, 1)))

    assert len(Calendar.from_ical(mail["calendar"]).walk("VEVENT")) == 2


def test_a_reader_elsewhere_is_told_whose_time_it_is(people):
    assert "clinic's local time" not in composed(xray(people))["text"]
    people.patient.user.time_zone = "America/New_York"
    people.patient.user.save()

    assert "clinic's local time (Europe/London)" in composed(xray(people))["text"].replace(
        "\n", " "
    )


def test_a_carer_is_told_whom_it_is_about_and_a_patient_is_not(people, bag):
    assert "O'Neill" not in composed(bag)["text"]

    Reminder.objects.filter(pk=bag.pk).update(recipient=people.carer)

    assert "Patricia O'Neill" in composed(bag)["text"]


# What it costs, and that it stays as it was


def test_a_mail_on_its_way_is_the_stored_one(people, bag):
    PlanRequest.objects.all().delete()
    pipeline.dispatch(now=NOW)
    bag.refresh_from_db()
    message = bag.message
    people.patient.given_name = "Somebody"
    people.patient.save()

    out = emails.outgoing(message)

    assert (out.message_id, out.subject, out.text, out.html) == (
        message.message_id, message.subject, message.text, message.html,
    )  # fmt: skip
    assert "Patricia" in out.text


def test_writing_a_batch_costs_two_queries_for_each_clinic(people, bag, django_assert_num_queries):
    rows = loaded(
        bag, xray(people), make_reminder(people.other_episode), make_reminder(people.far_episode)
    )
    writer = emails.Writer()

    with django_assert_num_queries(4):
        for row in rows:
            emails.compose([row], [writer.draft(row)])


def test_what_a_clinic_fills_in_has_no_gaps(people):
    assert all(clinic_values(people.clinic).values())


def test_every_value_of_a_readers_own_has_its_place_in_plans():
    assert set(emails.OWN) == compiled.VARYING


@pytest.mark.parametrize(
    "name", ["Patricia Ann", "<b>&'\" x", ".dot x", "زينب x", "back\\slash x", "tick` x"]
)
@pytest.mark.parametrize("language", ["en-gb", "en-us", "es", "ar"])
def test_a_mail_from_a_plan_of_the_batch_is_the_mail(people, bag, stopped_clock, name, language):
    user = people.patient.user
    user.name, user.language = name, language
    user.save()
    (row,) = loaded(bag)
    writer = emails.Writer()
    made = [emails.compose([row], [writer.draft(row)], sheets=writer.sheets) for _time in range(4)]

    plain = emails.compose([row], [emails.Writer().draft(row)])
    for fields in made:
        printed, parts = fields.pop("printed"), plain["printed"][:2]
        assert fields == {key: value for key, value in plain.items() if key != "printed"}
        assert printed[:2] == parts
        ends = [on_the_wire((part + "\n").replace("\n", "\r\n").encode()) for part in parts]
        assert printed.wire is None or [raw + b"\r\n.\r\n" for raw in printed.wire] == ends
        if printed.sheet:
            sheet = Sheet(text=printed.sheet.text.texts, html=printed.sheet.html.texts)
            stored = Message(sheet=sheet, own=json.loads(json.dumps(printed.own)))
            assert (stored.text, stored.html) == parts
            assert name.split()[0] not in "".join([*sheet.text, *sheet.html])
    assert printed.wire is not None or any(sign in name for sign in ".\\`")


def test_what_is_edited_shows_in_the_next_batch(people, bag):
    def text():
        (row,) = loaded(bag)
        writer = emails.Writer()
        # On one line: a shorter number breaks the lines elsewhere.
        made = emails.compose([row], [writer.draft(row)], sheets=writer.sheets)
        return " ".join(made["printed"].text.split())

    before = [text() for _time in range(4)][-1]
    old = people.clinic.phone_in_hours
    people.clinic.phone_in_hours = "020 1234"
    people.clinic.save()

    assert old in before
    assert text() == before.replace(old, "020 1234")
