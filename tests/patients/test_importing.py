"""Lists that are brought in: read, compared, entered once, taken back; a row's fault stays its own."""

import io
import zipfile
from datetime import date, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from django.core.exceptions import ValidationError

from patients.actions import entering, imports, link_carer, sync_tasks, taking_back
from patients.importing import tables
from patients.importing.columns import guess
from patients.importing.values import Unread, contradicts, read_answer, read_date, read_side
from patients.importing.words import in_words
from patients.models import Episode, ImportBatch, ImportRow, Patient, Task
from patients.tasks import work_on_imports
from portal import chain
from portal.models import AuditEvent, User
from reminders.models import Reminder
from reminders.planning import plan_requested
from tests.factories import make_reminder

HEAD = "Record number;Surname;First name;DOB;Email;Phone;Operation;Side;Surgery date;Surgeon"
# Most of the second number asks every table that can know a login or an episode.
ENTERING, TAKING_BACK = 28, 96
NEW = "L1;Ashe;Núria;31/12/1990;nuria@example.com;020 7946 0333;;;;"


def csv_of(*lines, head=HEAD):
    return "\n".join([head, *lines]).encode()


def one_of_many(n):
    return f"L{n};Ashe;Núria;{n:02}/12/1990;n{n}@example.com;;;;;"


def brought_in(people, *lines, content=None, order="dmy", head=HEAD):
    """A list that was read and compared."""
    batch = imports.stage(
        clinic=people.clinic, content=content or csv_of(*lines, head=head), file_name="list.csv",
        date_order=order, by=people.clerk, now=people.now,
    )  # fmt: skip
    imports.settle_columns(batch=batch, mapping=batch.mapping, date_order=order, by=people.clerk)
    return worked(batch, people)


def worked(batch, people):
    imports.work(batch=batch, now=people.now, until=lambda: False)
    batch.refresh_from_db()
    return batch


def entered(batch, people):
    assert imports.start_entering(batch=batch, by=people.clerk, now=people.now)
    return worked(batch, people)


def verdicts(batch):
    return [(row.verdict, row.problems) for row in batch.rows.all()]


def operation(people):
    return people.adult_version.pathway.procedure.name


class TestReading:
    @pytest.mark.parametrize(
        ("content", "read_as"),
        [
            ("a;b\nÄ;2".encode(), "CSV, utf-8, semicolons"),
            ("a,b\nÄ,2".encode("cp1252"), "CSV, cp1252, commas"),
            ("a\tb\nÄ\t2".encode("utf-16"), "CSV, utf-16, tabs"),
            ("a|b\nÄ|2".encode("utf-8-sig"), "CSV, utf-8, bars"),
            ('a;b\n"Ä";"2"'.encode(), "CSV, utf-8, semicolons"),
        ],
    )
    def test_encodings_and_separators_are_found(self, content, read_as):
        table = tables.read(content)
        assert (table.columns, table.rows, table.read_as) == (
            ["a", "b"],
            [(2, ["Ä", "2"])],
            read_as,
        )

    def test_quotes_breaks_and_empty_lines(self):
        table = tables.read(b'name;note\n\n"O;Neill";"two\nlines"\n\nB\n')
        assert [cells for _, cells in table.rows] == [["O;Neill", "two\nlines"], ["B", ""]]

    def test_a_workbook_writes_days_so_that_they_can_be_read_in_one_way(self):
        book = openpyxl.Workbook()
        book.active.append(["DOB", "MRN", "smoker", "x"])
        book.active.append([datetime(1990, 4, 3), 1234567.0, True, None])  # noqa: DTZ001 - a cell has no zone
        out = io.BytesIO()
        book.save(out)

        table = tables.read(out.getvalue())

        assert table.rows == [(2, ["1990-04-03", "1234567", "yes", ""])]
        assert table.read_as == "Excel, Sheet"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b"a;b\n", "no rows"),
            (b"\xd0\xcf\x11\xe0rest", "old Excel"),
            (b"PK\x03\x04rest", "cannot be read"),
            (b"\x89PNG\x00\x00", "neither"),
            (b"a;b\n" + b"1;2\n" * 10_001, "10,000 rows"),
            (b"x" * (5 * 1024 * 1024 + 1), "5 MB"),
            (b";".join([b"a"] * 61) + b"\n1", "60 columns"),
        ],
    )
    def test_what_cannot_be_read_is_refused_in_words(self, content, words):
        with pytest.raises(ValidationError, match=words):
            tables.read(content)

    def test_a_bomb_is_refused_before_it_is_unpacked(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("xl/workbook.xml", b"0" * (81 * 1024 * 1024))
        with pytest.raises(ValidationError, match="too large"):
            tables.read(out.getvalue())

    def test_a_workbook_with_an_entity_is_refused(self):
        book, out = openpyxl.Workbook(), io.BytesIO()
        book.active.append(["a"])
        book.save(out)
        evil = io.BytesIO()
        with zipfile.ZipFile(out) as source, zipfile.ZipFile(evil, "w") as target:
            for name in source.namelist():
                data = source.read(name)
                if name == "xl/workbook.xml":
                    data = b'<!DOCTYPE x [<!ENTITY a "aa">]>' + data.split(b"?>", 1)[-1]
                target.writestr(name, data)
        with pytest.raises(ValidationError, match="cannot be read"):
            tables.read(evil.getvalue())


class TestValues:
    @pytest.mark.parametrize(
        ("text", "order", "day"),
        [
            ("03/04/1990", "dmy", date(1990, 4, 3)),
            ("03/04/1990", "mdy", date(1990, 3, 4)),
            ("3.4.1990", "dmy", date(1990, 4, 3)),
            ("1990-04-03", "mdy", date(1990, 4, 3)),
            ("1990/4/3", "dmy", date(1990, 4, 3)),
            ("19900403", "dmy", date(1990, 4, 3)),
            ("3 Apr 1990", "mdy", date(1990, 4, 3)),
            ("April 3, 1990", "dmy", date(1990, 4, 3)),
            ("3 de abril de 1990", "dmy", date(1990, 4, 3)),
        ],
    )
    def test_dates(self, text, order, day):
        assert read_date(text, order) == day

    @pytest.mark.parametrize(
        ("text", "order", "code"),
        [
            ("12/31/1990", "dmy", "other_order"),
            ("31/12/1990", "mdy", "other_order"),
            ("03/04/1990", "ymd", "other_order"),
            ("03/04/90", "dmy", "short_year"),
            ("31/02/1990", "dmy", "no_date"),
            ("soon", "dmy", "no_date"),
            ("", "dmy", "no_date"),
        ],
    )
    def test_what_is_no_date_or_two(self, text, order, code):
        with pytest.raises(Unread) as raised:
            read_date(text, order)
        assert raised.value.code == code

    def test_in_a_column_with_both_orders_only_clear_dates_are_read(self):
        assert contradicts(["03/04/1990", "12/31/1990"], "dmy")
        assert not contradicts(["03/04/1990", "31/12/1990", "1990-12-31"], "dmy")
        assert read_date("04/04/1990", "dmy", is_mixed=True) == date(1990, 4, 4)
        assert read_date("31/12/1990", "dmy", is_mixed=True) == date(1990, 12, 31)
        with pytest.raises(Unread, match="ambiguous"):
            read_date("03/04/1990", "dmy", is_mixed=True)

    def test_answers_and_sides(self):
        assert [read_answer(text) for text in ("Yes", "n", "", "X")] == [True, False, None, True]
        assert [read_side(text) for text in ("L", "Right", "bilateral")] == [
            "left",
            "right",
            "both",
        ]
        with pytest.raises(Unread):
            read_answer("maybe")
        with pytest.raises(Unread):
            read_side("upper")

    def test_columns_are_guessed_by_their_names(self):
        names = ["MRN", "Surname", "FIRST NAME", "D.O.B", "e-mail", "Colour", "Fecha de cirugía"]
        assert guess(names) == {
            "record_number": 0, "family_name": 1, "given_name": 2, "birth_date": 3, "email": 4, "surgery_on": 6,
        }  # fmt: skip


class TestComparing:
    def test_each_row_says_what_would_become_of_it(self, people):
        name = operation(people)
        batch = brought_in(
            people,
            NEW,
            "H-001;O'Neill;Patricia;17/05/1990;;;;;;",
            "H-001;ONeill;Patrícia;17/05/1990;;020 1;;;;",
            f"H-002;Secret;Otto;17/05/1990;;;{name};left;01/05/2026;Surgeon of Harbour Hip Clinic",
            f"H-002;Secret;Otto;17/05/1990;;;{name};right;01/05/2026;",
            "X-9;Secret;Ottoo;17/05/1990;;;;;;",
            "H-001;Wholly;Different;17/05/1990;;;;;;",
            "H-001;O'Neill;Patricia;18/05/1990;;;;;;",
            ";Ashe;Nuria;31/12/1990;;;;;;",
            "L9;Ashe;Nuria;12/31/1990;no-address;;Nothing;up;1/1/26;Dr Nobody",
            "L8;Ashe;Nuria;31/12/1990;otto@example.com;;;;;",
        )
        assert batch.status == "ready"
        assert verdicts(batch) == [
            ("new", {}),
            ("same", {}),
            ("change", {}),
            ("book", {}),
            ("refused", {"surgery_on": "booked_already"}),
            ("likely", {}),
            ("refused", {"record_number": "twice_in_list"}),
            ("refused", {"birth_date": "other_birth_date", "record_number": "twice_in_list"}),
            ("refused", {"record_number": "missing"}),
            (
                "refused",
                {
                    "birth_date": "other_order", "email": "no_address", "side": "no_side",
                    "surgery_on": "short_year", "surgeon": "no_surgeon", "operation": "no_operation",
                },
            ),
            ("refused", {"email": "address_taken"}),
        ]  # fmt: skip
        assert Patient.objects.count() == 5

    def test_the_second_row_of_a_new_patient_follows_the_first(self, people):
        name = operation(people)
        batch = brought_in(
            people,
            f"L1;Ashe;Nuria;31/12/1990;;;{name};left;01/05/2026;",
            f"L1;Ashe;Nuria;31/12/1990;;;{name};right;01/09/2026;",
        )
        assert [(row.verdict, row.follows) for row in batch.rows.all()] == [
            ("new", None),
            ("book", 2),
        ]

        entered(batch, people)

        patient = Patient.objects.get(record_number="L1")
        assert set(patient.episodes.values_list("side", flat=True)) == {"left", "right"}

    def test_a_birthday_with_day_and_month_swapped_is_likely_the_same_person(self, people):
        people.other_patient.birth_date = date(1990, 5, 7)
        people.other_patient.save()
        batch = brought_in(people, "X-9;Secret;Otto;05/07/1990;;;;;;")
        assert batch.rows.get().verdict == "likely"
        assert batch.rows.get().match == people.other_patient

    def test_another_clinics_patients_are_not_compared_with(self, people):
        batch = brought_in(people, "M-001;Faraway;Fern;17/05/1990;;;;;;")
        assert batch.rows.get().verdict == "new"

    def test_needed_columns_are_asked_for_and_one_cannot_hold_two_things(self, people):
        batch = imports.stage(
            clinic=people.clinic, content=csv_of(NEW), file_name="x", date_order="dmy", by=people.clerk,
            now=people.now,
        )  # fmt: skip
        needed = ("record_number", "given_name", "family_name", "birth_date")
        for mapping in ({"record_number": 0}, dict.fromkeys(needed, 0)):
            with pytest.raises(ValidationError):
                imports.settle_columns(
                    batch=batch, mapping=mapping, date_order="dmy", by=people.clerk
                )

    def test_a_row_is_mended_in_place(self, people):
        batch = brought_in(people, "L1;Ashe;Nuria;1990;;;;;;", NEW.replace("L1", "L2"))
        row = batch.rows.first()
        assert row.problems == {"birth_date": "no_date"}

        imports.mend_row(
            row=row, texts={"birth_date": "31/12/1985"}, choice="", by=people.clerk, now=people.now
        )

        row.refresh_from_db()
        assert (row.verdict, row.problems) == ("new", {})

    def test_a_person_says_whether_it_is_the_same_person(self, people):
        batch = brought_in(people, "X-9;Secret;Ottoo;17/05/1990;;;;;;")
        row = batch.rows.get()
        for choice, verdict in (("same_person", "change"), ("new_person", "new"), ("", "likely")):
            imports.mend_row(row=row, texts={}, choice=choice, by=people.clerk, now=people.now)
            row.refresh_from_db()
            assert row.verdict == verdict


class TestEntering:
    def test_new_patients_and_operations_come_in_by_the_same_actions(self, people):
        name = operation(people)
        batch = entered(
            brought_in(people, NEW, f"L2;Bryn;Cai;03/04/1980;;;{name};left;01/05/2026;"), people
        )

        assert batch.status == "committed"
        nuria, cai = Patient.objects.filter(record_number__in=("L1", "L2")).order_by(
            "record_number"
        )
        assert (nuria.name, nuria.birth_date, nuria.user.email) == (
            "Núria Ashe", date(1990, 12, 31), "nuria@example.com",
        )  # fmt: skip
        assert cai.episodes.get().surgery_on == date(2026, 5, 1)
        assert AuditEvent.objects.filter(verb="patient.register", actor=people.clerk).count() == 2
        assert Patient.objects.found_by("nuria ashe").get() == nuria

    def test_entering_twice_acts_once(self, people):
        batch = brought_in(people, NEW)
        assert imports.start_entering(batch=batch, by=people.clerk, now=people.now)
        assert not imports.start_entering(batch=batch, by=people.clerk, now=people.now)
        for _ in range(2):
            imports.work(batch=batch, now=people.now, until=lambda: False)

        assert Patient.objects.filter(record_number="L1").count() == 1

    def test_a_rows_fault_never_loses_the_others(self, people, monkeypatch):
        lines = [one_of_many(n) for n in range(1, 8)]
        batch = brought_in(people, *lines)
        Patient.objects.create(
            clinic=people.clinic, record_number="L3", given_name="Some", family_name="Body",
            birth_date=date(1970, 1, 1),
        )  # fmt: skip

        entered(batch, people)

        states = list(batch.rows.values_list("state", flat=True))
        assert states == ["done", "done", "failed", "done", "done", "done", "done"]
        assert batch.rows.get(state="failed").problems == {"": "number_taken"}

    def test_a_fault_that_shows_only_on_storing_stays_with_its_row(self, people):
        """Both rows look right by themselves; the second finds the address given away by the first."""
        without_login = [
            Patient.objects.create(
                clinic=people.clinic, record_number=f"N{n}", given_name="Sam", family_name=name,
                birth_date=date(1970, 1, n),
            )
            for n, name in ((1, "Ashe"), (2, "Bryn"))
        ]  # fmt: skip
        batch = brought_in(
            people,
            one_of_many(1),
            "N1;Ashe;Sam;01/01/1970;sam@example.com;;;;;",
            "N2;Bryn;Sam;02/01/1970;sam@example.com;;;;;",
            one_of_many(2),
        )

        entered(batch, people)

        states = list(batch.rows.values_list("state", flat=True))
        assert states == ["done", "done", "failed", "done"]
        assert batch.rows.get(state="failed").problems == {"": "address_taken"}
        for patient in without_login:
            patient.refresh_from_db()
        assert [patient.user and patient.user.email for patient in without_login] == [
            "sam@example.com",
            None,
        ]
        assert Patient.objects.filter(record_number__in=("L1", "L2")).count() == 2
        assert AuditEvent.objects.filter(verb="patient.register").count() == 2

    def test_a_new_patient_and_what_a_later_row_says_of_them(self, people):
        """The rows are stored together, in their order: who is changed must have been added."""
        name = operation(people)
        batch = entered(
            brought_in(
                people,
                NEW,
                NEW.replace("020 7946 0333", "020 7946 0444"),
                f"L1;Ashe;Núria;31/12/1990;;;{name};left;01/05/2026;",
            ),
            people,
        )

        nuria = Patient.objects.get(record_number="L1")
        states = [(row.verdict, row.state, row.problems) for row in batch.rows.all()]
        assert states[0] == ("new", "done", {})
        assert states[2] == ("book", "done", {})
        assert nuria.episodes.count() == 1

    def test_what_many_rows_leave_in_the_trail_fits_into_the_chain(self, people):
        entered(brought_in(people, *[one_of_many(n) for n in range(1, 31)]), people)

        assert chain.seal(now=people.now) >= 30
        assert [stretch.faults for stretch in chain.check(known={})] == [[], []]
        added = AuditEvent.objects.filter(verb="patient.register").order_by("pk")
        assert [(event.actor, event.clinic) for event in added] == [
            (people.clerk, people.clinic)
        ] * 30
        assert {str(event.patient_id) for event in added} == {event.object_id for event in added}

    def test_two_rows_with_one_address_are_not_both_entered(self, people):
        batch = entered(
            brought_in(people, NEW, NEW.replace("L1", "L2").replace("Ashe", "Bryn")), people
        )
        assert sorted(batch.rows.values_list("state", flat=True)) == ["done", "failed"]

    def test_two_new_rows_that_may_be_one_person_wait_for_somebody_to_decide(self, people):
        twin = "L2;Ashe;Nuria;31/12/1990;;;;;;"
        batch = brought_in(people, NEW, twin, "L3;Ashe;Nuria;30/12/1990;;;;;;")
        row = batch.rows.get(number=3)
        assert (row.verdict, row.problems) == ("likely", {"": "twin_in_list:2"})
        assert in_words(row.problems[""]).startswith("Row 2 looks like the same person")
        assert batch.rows.get(number=4).verdict == "new"

        imports.mend_row(row=row, texts={}, choice="new_person", by=people.clerk, now=people.now)
        entered(batch, people)

        assert Patient.objects.filter(record_number__in=("L1", "L2", "L3")).count() == 3

    def test_the_same_number_given_to_both_makes_them_one_person(self, people):
        batch = brought_in(people, NEW, "L2;Ashe;Nuria;31/12/1990;;;;;;")
        imports.mend_row(
            row=batch.rows.get(number=3), texts={"record_number": "L1", "given_name": "Núria"}, choice="",
            by=people.clerk, now=people.now,
        )  # fmt: skip
        entered(batch, people)
        assert Patient.objects.filter(birth_date=date(1990, 12, 31)).count() == 1
        assert not batch.rows.exclude(state="done").exclude(verdict="same").exists()

    def test_every_fault_of_a_row_is_named_at_once(self, people):
        batch = brought_in(people, "L1;Ashe;Nuria;1990;no-mail;;No such thing;left;01/05/2026;")
        assert verdicts(batch) == [
            (
                "refused",
                {"birth_date": "no_date", "email": "no_address", "operation": "no_operation"},
            )
        ]

    def test_two_rows_without_a_number_lack_it_both(self, people):
        batch = brought_in(people, NEW.replace("L1", ""), NEW.replace("L1", ""))
        assert verdicts(batch) == [("refused", {"record_number": "missing"})] * 2

    def test_worklists_follow_a_list_with_their_next_run(self, people):
        """Brought up to date after each row they would take longer than the rows."""
        people.episode.anchor_dates.filter(anchor="surgery").update(
            on=people.now.date() + timedelta(days=20)
        )
        head = f"{HEAD};Smoker"
        row = "H-001;O'Neill;Patricia;17/05/1990;;020 7946 0444;;;;;"
        smokes = not people.patient.uses_nicotine
        batch = brought_in(people, f"{row}{'yes' if smokes else 'no'}", head=head)
        before = set(Task.objects.values_list("pk", flat=True))

        entered(batch, people)

        assert batch.rows.get().state == "done"
        assert set(Task.objects.values_list("pk", flat=True)) == before
        sync_tasks(now=people.now)
        assert Task.objects.filter(kind="smoker", patient=people.patient).exists() is smokes

    def test_what_changed_since_it_was_compared_is_not_entered_unseen(self, people):
        batch = brought_in(people, "H-001;O'Neill;Patricia;17/05/1990;;020 1;;;;")
        people.patient.phone = "020 5"
        people.patient.save()

        entered(batch, people)

        assert batch.rows.get().problems == {"": "changed_since"}
        people.patient.refresh_from_db()
        assert people.patient.phone == "020 5"

    def test_left_out_likely_and_refused_rows_are_not_entered(self, people):
        batch = brought_in(people, NEW, "X-9;Secret;Ottoo;17/05/1990;;;;;;", ";;;;;;;;;x")
        imports.mend_row(
            row=batch.rows.first(), texts={}, choice="leave_out", by=people.clerk, now=people.now
        )
        before = Patient.objects.count()

        entered(batch, people)

        assert Patient.objects.count() == before
        assert imports.counted(batch) == {"leave_out": 1, "likely": 1, "refused": 1}

    def test_a_worker_that_was_cut_off_goes_on_where_it_stopped(self, people, monkeypatch):
        monkeypatch.setattr(entering, "AT_ONCE", 2)
        lines = [one_of_many(n) for n in range(1, 6)]
        batch = brought_in(people, *lines)
        imports.start_entering(batch=batch, by=people.clerk, now=people.now)
        turns = iter([False, True])
        imports.work(batch=batch, now=people.now, until=lambda: next(turns))
        batch.refresh_from_db()
        assert (batch.status, batch.percent) == ("committing", 40)
        assert Patient.objects.filter(record_number__startswith="L").count() == 2

        assert work_on_imports() == 1

        batch.refresh_from_db()
        assert (batch.status, batch.percent) == ("committed", 100)
        assert Patient.objects.filter(record_number__startswith="L").count() == 5


class TestTakingBack:
    @pytest.fixture
    def batch(self, people):
        name = operation(people)
        return entered(
            brought_in(
                people,
                f"L1;Ashe;Núria;31/12/1990;nuria@example.com;;{name};left;01/09/2026;",
                "H-001;O'Neill;Patricia;17/05/1990;;020 1;;;;",
            ),
            people,
        )

    def undo(self, batch, people):
        imports.start_undoing(batch=batch, by=people.clerk, now=people.now, reason="wrong file")
        return worked(batch, people)

    def test_everything_is_as_it_was_and_the_trail_says_so(self, people, batch):
        plan_requested(now=people.now)
        assert Reminder.objects.filter(episode__patient__record_number="L1").exists()

        self.undo(batch, people)

        assert batch.status == "undone"
        assert not Patient.objects.filter(record_number="L1").exists()
        assert not User.objects.filter(email="nuria@example.com").exists()
        people.patient.refresh_from_db()
        assert people.patient.phone == "020 7946 0101"
        assert AuditEvent.objects.filter(verb="import.take_back").count() == 2

    def test_once_mail_was_sent_the_list_stays(self, people, batch):
        episode = Episode.objects.get(patient__record_number="L1")
        make_reminder(episode, state="failed")

        with pytest.raises(ValidationError, match="row 2"):
            imports.start_undoing(batch=batch, by=people.clerk, now=people.now, reason="x")

    def test_what_somebody_changed_again_is_not_set_back(self, people, batch):
        Patient.objects.filter(pk=people.patient.pk).update(phone="020 9")

        self.undo(batch, people)

        people.patient.refresh_from_db()
        assert people.patient.phone == "020 9"

    def test_a_patient_of_whom_more_was_recorded_stays(self, people, batch):
        patient = Patient.objects.get(record_number="L1")
        link_carer(
            patient=patient,
            email="c@example.com",
            name="C",
            relationship="aunt",
            by=people.clerk,
            now=people.now,
        )

        self.undo(batch, people)

        assert list(batch.rows.values_list("state", flat=True)) == ["kept", "undone"]
        assert patient.episodes.count() == 1


@pytest.mark.parametrize("many", [1, 30])
def test_a_handful_costs_the_same_statements_whatever_it_holds(
    people, django_assert_num_queries, many
):
    """New patients with a login and an operation, entered and taken back."""
    name = operation(people)
    lines = [f"L{n};Ashe;Núria;{n:02}/12/1990;n{n}@example.com;;{name};left;01/05/2026;"
             for n in range(1, many + 1)]  # fmt: skip
    batch = brought_in(people, *lines)
    imports.start_entering(batch=batch, by=people.clerk, now=people.now)

    with django_assert_num_queries(ENTERING):
        assert entering.enter_some(ImportBatch.objects.get(pk=batch.pk), people.now) == many
    assert set(batch.rows.values_list("state", flat=True)) == {"done"}

    with django_assert_num_queries(TAKING_BACK):
        assert taking_back.undo_some(ImportBatch.objects.get(pk=batch.pk), people.now) == many
    assert set(batch.rows.values_list("state", flat=True)) == {"undone"}


def test_staged_rows_are_deleted_after_a_time(people):
    entered_one, waiting = entered(brought_in(people, NEW), people), brought_in(people, NEW)

    def days_later(days: int) -> Any:
        return imports.empty_old(now=people.now + timedelta(days=days))

    assert (days_later(6), days_later(8), days_later(8), days_later(31)) == (0, 1, 0, 1)
    assert ImportRow.objects.count() == 0
    assert ImportBatch.objects.filter(pk__in=(entered_one.pk, waiting.pk)).count() == 2


def test_a_list_is_compared_in_a_constant_number_of_queries(people, django_assert_num_queries):
    counts = []
    for many in (1, 40):
        lines = [NEW.replace("L1", f"Q{many}-{n}") for n in range(many)]
        batch = imports.stage(
            clinic=people.clinic, content=csv_of(*lines), file_name="x", date_order="dmy", by=people.clerk,
            now=people.now,
        )  # fmt: skip
        imports.settle_columns(
            batch=batch, mapping=batch.mapping, date_order="dmy", by=people.clerk
        )
        counts.append(batch)
    for batch in counts:
        with django_assert_num_queries(12):
            imports._compare_some(ImportBatch.objects.get(pk=batch.pk), people.now)
