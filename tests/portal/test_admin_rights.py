"""The table of rights, walked: every address of the staff admin × every role, at one's own clinic and at another."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse

from patients.actions import ask_to_move, link_carer
from patients.models import Alert, CheckIn, EmergencyAccess, Hold, ImportBatch
from portal import clock
from portal.models import Role, User
from portal.permissions import CLINIC_PATHS, PAGES, RIGHTS, clinics_where, may, within
from procedures.consent_actions import save_consent_draft
from procedures.models import Exercise, Questionnaire, Step
from reminders.models import Reminder, Suppression
from tests.factories import make_appointment, make_message, make_reminder, make_staff, make_user
from tests.patients.alerts import make_question, make_task
from tests.patients.exercises import make_exercise, prescribed

# What Django and unfold serve beside lists and pages, and who may: everybody who may enter.
FRAME = {
    "index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n",
    "view_on_site", "app_list", "search",
}  # fmt: skip
# Pages that lead back to another one when they are only looked at.
LEAD_ON = {"import_columns", "import_enter"}
# Opened by an access of one's own, whatever the clinic: never by a role alone (tests/patients/test_oversight.py).
BY_ACCESS = {"emergency_record"}
POST_ONLY = {"alert_acknowledge", "alert_resolve", "task_claim", "task_give_back", "version_sample"}
READ_ONLY = {
    "patient_page", "message_page", "message_html", "alert_page", "episode_version", "version_mail",
    "version_preview", "simulator", "episode_simulate", "patient_timeline", "user_sign_ins", "import_page",
    "import_progress", "emergency_record",
}  # fmt: skip
MODEL_VIEWS = ("changelist", "add", "history", "delete", "change")

# A role decides what a page answers, not what it asks the database: beside the second kind of
# database the one that may most is walked, and speaks for all.
every_role = pytest.mark.parametrize(
    "role",
    [
        Role.MANAGER,
        *(pytest.param(role, marks=pytest.mark.once) for role in Role if role != Role.MANAGER),
    ],
)


def _rows(people: Any, episode: Any, carer_link: Any, staff: User) -> dict[str, Any]:
    """A row of each kind at one clinic, by the first part of the names of the pages about it."""
    patient = episode.patient
    reminder = make_reminder(episode)
    return {
        "patient": patient,
        "carer": carer_link,
        "episode": episode,
        "appointment": make_appointment(episode),
        "reminder": reminder,
        "message": make_message(patient.user, patient.clinic, [make_reminder(episode)]),
        "user": staff,
        "xray": episode.imaging_requests.first(),
        "alert": _alert(episode),
        "prescription": prescribed(people, episode=episode, exercise=_exercise()),
        "version": episode.version,
        "import": _list(patient, staff),
        "emergency": _emergency(patient, staff),
        "wish": ask_to_move(
            appointment=make_appointment(episode),
            reason="Work",
            wishes="",
            by=patient.user,
            now=people.now,
        ),
        "consent": save_consent_draft(
            clinic=patient.clinic,
            key="x",
            audience="any",
            by=staff,
            now=people.now,
            words={"en-gb": {"title": "T", "body": "B"}},
        ),
        "task": make_task(episode),
        "question": make_question(episode),
        "suppression": Suppression.objects.get_or_create(
            address=patient.user.email, defaults={"reason": "bounced"}
        )[0],
        "hold": Hold.objects.create(
            episode=episode, category="recovery", by=people.nurse, reason="Wound"
        ),
    }


def _emergency(patient: Any, staff: User) -> EmergencyAccess:
    """Somebody of elsewhere who opened the patient's record."""
    return EmergencyAccess.objects.create(
        user=staff, patient=patient, clinic=patient.clinic, from_clinic=patient.clinic, reason="r", ends_at=clock.now()
    )  # fmt: skip


def _list(patient: Any, staff: User) -> ImportBatch:
    """A list of the clinic, compared, with one row."""
    batch = ImportBatch.objects.create(
        clinic=patient.clinic, uploaded_by=staff, file_name="x.csv", columns=["n"], total=1,
        mapping={"record_number": 0}, status=ImportBatch.Status.READY,
    )  # fmt: skip
    batch.rows.create(number=2, cells={"0": patient.record_number}, match=patient)
    return batch


def _exercise() -> Exercise:
    return Exercise.objects.filter(key="bridge").first() or make_exercise("bridge")


def _alert(episode: Any) -> Alert:
    questions, _is_new = Questionnaire.objects.get_or_create(
        key="q",
        defaults={
            "audience": "any", "anchor": "discharge", "from_value": 0, "from_unit": "days",
            "until_value": 1, "until_unit": "weeks",
        },
    )  # fmt: skip
    check_in = CheckIn.objects.create(
        episode=episode, questionnaire=questions, questionnaire_version=1, answers=[], flags=[],
        by=episode.patient.user, local_date=date(2026, 3, 2), ticket="t",
    )  # fmt: skip
    return Alert.objects.create(
        patient=episode.patient, episode=episode, check_in=check_in, rule_key="fever", sign="fever",
        severity="call", summary="Fever",
    )  # fmt: skip


@pytest.fixture
def own_rows(people) -> dict[str, Any]:
    link = people.patient.related_people.get(user=people.carer)
    return _rows(
        people, people.episode, link, make_staff(people.clinic, Role.NURSE, email="n2@example.com")
    )


@pytest.fixture
def far_rows(people) -> dict[str, Any]:
    link = link_carer(
        patient=people.far_patient, email="far@example.com", name="Far Carer", relationship="aunt",
        by=None, now=people.now,
    )  # fmt: skip
    rows = _rows(people, people.far_episode, link, people.other_clerk)
    rows["xray"] = people.far_episode.imaging_requests.create(
        step=Step.objects.filter(version=people.far_version).first(),
        window_from=people.now.date(), window_until=people.now.date(),
    )  # fmt: skip
    return rows


def _url(page: str, rows: dict[str, Any]) -> str:
    try:
        return reverse(f"admin:{page}")
    except NoReverseMatch:
        row = (
            rows["patient"]
            if page in {"episode_book", "carer_add"}
            else rows[page.split("_", maxsplit=1)[0]]
        )
        row = rows["episode"] if page == "appointment_book" else row
        return reverse(f"admin:{page}", args=[row.pk])


@every_role
def test_each_page_opens_for_the_roles_of_the_table_and_no_other(
    people, own_rows, sign_in, role
) -> None:
    client = sign_in(people.staff[role])
    answers = {page: client.get(_url(page, own_rows)).status_code for page in PAGES}
    opens = {page: 405 if page in POST_ONLY else 302 if page in LEAD_ON else 200 for page in PAGES}
    expected = {
        page: opens[page] if role in RIGHTS[right] else 403 for page, right in PAGES.items()
    }
    expected |= {page: 404 for page in BY_ACCESS if expected[page] != 403}
    assert answers == expected


@every_role
def test_no_page_writes_for_a_role_without_the_right(people, own_rows, sign_in, role) -> None:
    client = sign_in(people.staff[role])
    denied = [page for page, right in PAGES.items() if role not in RIGHTS[right]]
    answers = {
        page: client.post(_url(page, own_rows), {"reason": "x"}).status_code for page in denied
    }
    assert answers == dict.fromkeys(denied, 403)


@every_role
def test_another_clinics_record_is_as_good_as_missing(
    people, own_rows, far_rows, sign_in, role
) -> None:
    client = sign_in(people.staff[role])
    about_rows = {page: PAGES[page] for page in PAGES if "/0000" in _url_or_empty(page)}
    assert len(about_rows) > 20
    read = {page: client.get(_url(page, far_rows)).status_code for page in about_rows}
    assert read == _far(about_rows, role, POST_ONLY)
    written = {page: client.post(_url(page, far_rows)).status_code for page in about_rows}
    assert written == _far(about_rows, role, READ_ONLY)


def _far(pages: dict[str, str], role: str, other_method: set[str]) -> dict[str, int]:
    """What a role gets at another clinic: never more than to learn that it has no such right at all."""
    return {
        page: 403 if role not in RIGHTS[right] else 405 if page in other_method else 404
        for page, right in pages.items()
    }


@every_role
def test_a_row_of_another_clinic_has_no_page_of_its_own_in_any_list(
    people, far_rows, sign_in, role
) -> None:
    client = sign_in(people.staff[role])
    kinds = ("patient", "episode", "appointment", "reminder", "message", "user", "alert")
    for row in [far_rows[kind] for kind in kinds] + [people.other_clinic]:
        noun = str(row._meta.model_name)
        address = _model_url(row._meta.label_lower, "change", row.pk)
        assert client.get(address).status_code in {403, 404}, noun
        assert client.post(address, {}).status_code in {403, 404}, noun


@every_role
def test_taking_a_list_away_asks_for_the_right(people, sign_in, role) -> None:
    client = sign_in(people.staff[role])
    for model in admin.site._registry:
        noun = str(model._meta.model_name)
        answer = client.post(_model_url(model._meta.label_lower, "changelist"), {"export": "csv"})
        is_allowed = role in RIGHTS.get(f"{noun}.export", frozenset())
        assert answer.status_code == (200 if is_allowed else 403), noun
        assert answer.headers["Content-Type"].startswith("text/csv") == is_allowed, noun


BULK = (
    ("patients.patient", "invite_chosen", "patient.invite"),
    ("patients.episode", "hold_chosen", "hold.add"),
    ("patients.episode", "finish_chosen", "episode.finish"),
    ("patients.appointment", "attended_chosen", "appointment.record_outcome"),
    ("patients.appointment", "missed_chosen", "appointment.record_outcome"),
    ("patients.appointment", "cancel_chosen", "appointment.cancel"),
    ("reminders.reminder", "send_now_chosen", "reminder.send_now"),
    ("reminders.reminder", "stop_chosen", "reminder.stop"),
)


@every_role
@pytest.mark.parametrize(("label", "action", "right"), BULK)
def test_acting_on_several_rows_asks_for_the_right_and_reaches_no_other_clinic(
    people, own_rows, far_rows, sign_in, role, label, action, right
) -> None:
    client = sign_in(people.staff[role])
    noun = label.split(".")[1]
    chosen = [str(rows[noun].pk) for rows in (own_rows, far_rows)]
    answer = client.post(
        _model_url(label, "changelist"), {"action": action, "_selected_action": chosen}
    )
    if role in RIGHTS[right]:
        assert [line.row.pk for line in answer.context["lines"]] == [own_rows[noun].pk]
    else:
        assert answer.status_code in {302, 403} or "lines" not in (answer.context or {})


def test_no_list_offers_an_action_that_is_not_walked_here() -> None:
    offered = {
        (model._meta.label_lower, name)
        for model, model_admin in admin.site._registry.items()
        for name in model_admin.actions or ()
    }
    assert offered == {(label, name) for label, name, _right in BULK}


def test_an_address_without_a_name_leads_nowhere(people, sign_in) -> None:
    unnamed = [p for p in _flat(admin.site.get_urls()) if not p.name]
    routes = {str(pattern.pattern) for pattern in unnamed}
    assert all(
        route in {"(?P<url>.*)$", "<path:object_id>/"} or "/r/" in route for route in routes
    ), routes
    assert sign_in(people.manager).get("/admin/no-such-page/").status_code == 404


def _url_or_empty(page: str) -> str:
    missing = "00000000-0000-4000-8000-000000000000"
    try:
        return reverse(f"admin:{page}", args=[missing])
    except NoReverseMatch:
        return ""


def test_a_missing_record_answers_with_the_same_body_as_a_foreign_one(
    people, far_rows, sign_in
) -> None:
    client = sign_in(people.manager)
    foreign = client.get(_url("patient_page", far_rows))
    missing = client.get(_url_or_empty("patient_page"))
    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)
    assert b"Faraway" not in foreign.content


@every_role
def test_each_list_opens_for_the_roles_of_the_table_and_no_other(people, sign_in, role) -> None:
    client = sign_in(people.staff[role])
    nouns = {model._meta.label_lower: str(model._meta.model_name) for model in admin.site._registry}
    answers = {label: client.get(_model_url(label, "changelist")).status_code for label in nouns}
    expected = {
        label: 200 if role in RIGHTS[f"{noun}.view"] else 403 for label, noun in nouns.items()
    }
    assert answers == expected


def _model_url(label: str, view: str, *args: Any) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{view}", args=args)


@every_role
def test_adding_in_a_list_asks_for_the_right_too(people, sign_in, role) -> None:
    client = sign_in(people.staff[role])
    for model, model_admin in admin.site._registry.items():
        status = client.get(_model_url(model._meta.label_lower, "add")).status_code
        allowed = role in RIGHTS.get(f"{model._meta.model_name}.add", frozenset())
        if status == 200:
            assert allowed, (model, role)
        if not allowed:
            assert status in {403, 302}, (model, role, model_admin)


def test_nobody_removes_a_record_not_even_the_operator(people, own_rows, sign_in) -> None:
    operator = User.objects.create_superuser("root@example.com", "x", name="Root")
    client = sign_in(operator)
    for label, row in {
        "patients.patient": people.patient, "patients.episode": people.episode, "portal.user": people.clerk,
        "reminders.reminder": own_rows["reminder"], "portal.clinic": people.clinic,
    }.items():  # fmt: skip
        assert client.post(_model_url(label, "delete", row.pk), {"post": "yes"}).status_code == 403
        type(row).objects.get(pk=row.pk)
        assert client.get(_model_url(label, "history", row.pk)).status_code == 404


def test_every_address_of_the_admin_is_declared() -> None:
    assert set(_names()) - _declared() == set()


def test_the_table_of_pages_has_no_stale_entry() -> None:
    assert set(PAGES) - set(_names()) == set()


def test_an_undeclared_page_cannot_be_added() -> None:
    with pytest.raises(KeyError):
        admin.site.add_page("secret/", lambda request: None, "secret")  # type: ignore[attr-defined]  # our site's own


def _declared() -> set[str]:
    models = {f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry}
    return FRAME | set(PAGES) | {f"{model}_{view}" for model in models for view in MODEL_VIEWS}


def _names() -> Iterator[str]:
    for pattern in _flat(admin.site.get_urls()):
        if pattern.name:
            yield pattern.name


def _flat(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern


@pytest.mark.parametrize("who", ["nobody", "carer", "mother"])
def test_who_is_no_member_of_staff_gets_nowhere(people, own_rows, sign_in, who) -> None:
    client = sign_in(getattr(people, who))
    for page in PAGES:
        response = client.get(_url(page, own_rows), follow=True)
        assert response.status_code == 403
        assert b"O&#x27;Neill" not in response.content


def test_staff_without_a_role_get_nowhere(people, sign_in) -> None:
    client = sign_in(make_user("odd@example.com", is_staff=True))
    assert client.get(reverse("admin:index"), follow=True).status_code == 403


def test_a_stranger_is_sent_to_the_one_sign_in_page(people, client) -> None:
    response = client.get(reverse("admin:index"), follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")


def test_who_works_here_and_is_a_patient_elsewhere_does_not_see_that_record_in_the_admin(
    people, sign_in
) -> None:
    people.far_patient.user = people.clerk
    people.far_patient.save()
    client = sign_in(people.clerk)
    assert (
        client.get(reverse("admin:patient_page", args=[people.far_patient.pk])).status_code == 404
    )
    assert (
        "Faraway" not in client.get(reverse("admin:patients_patient_changelist")).content.decode()
    )


def test_a_right_holds_at_the_clinics_of_the_role_alone(people) -> None:
    assert may(people.clerk, "episode.move", people.clinic)
    assert not may(people.clerk, "episode.move", people.other_clinic)
    assert list(clinics_where(people.clerk, "episode.move")) == [people.clinic]


def test_an_unknown_right_is_an_error_not_a_no(people) -> None:
    with pytest.raises(KeyError):
        may(people.clerk, "episode.mvoe")


def test_a_right_that_nobody_has_is_nobodys_not_even_the_operators(people) -> None:
    operator = User.objects.create_superuser("root@example.com", "x", name="Root")
    assert not may(operator, "auditevent.change")
    assert may(operator, "episode.move", people.other_clinic)


def test_a_scope_without_a_clinic_holds_nothing(people) -> None:
    assert list(within(Reminder.objects.all(), people.nobody, "reminder.view")) == []


def test_every_right_is_well_formed_and_every_page_names_one() -> None:
    assert {right for right in RIGHTS if right.count(".") != 1} == set()
    assert {right for right in PAGES.values() if right not in RIGHTS} == set()
    models = {str(model._meta.model_name) for model in admin.site._registry}
    assert {noun for noun in models if f"{noun}.view" not in RIGHTS} == set()
    assert {
        noun for noun in CLINIC_PATHS if not any(right.startswith(f"{noun}.") for right in RIGHTS)
    } == set()
