"""The page for no network, and the program that shows it."""

import re

from django.contrib.staticfiles import finders

from tests.factories import make_clinic


def test_the_page_is_the_same_for_everybody_and_says_whom_to_call(people, sign_in, client):
    text = client.get("/offline/").text
    assert "no network" in text
    for name in ("Patricia", "Kidd", "data-session"):
        assert name not in text


def test_the_only_clinic_is_whom_to_call(client, db):
    clinic = make_clinic()
    assert clinic.phone_in_hours in client.get("/offline/").text


def test_the_program_is_javascript_and_all_it_keeps_is_there(client, db):
    answer = client.get("/service-worker.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    listed = re.search(r"const FILES = \[(.*)\];", answer.text)
    assert listed is not None
    files = [name.strip(' "').replace("\\u002D", "-") for name in listed[1].split(",")]
    assert files[0] == "/offline/"
    named = [name.removeprefix("/static/") for name in files[1:]]
    assert [name for name in named if finders.find(name) is None] == []


def test_it_is_registered_for_readers_and_not_for_staff_or_strangers(people, sign_in, client):
    assert "data-offline" in sign_in(people.mother).get("/today/").text
    assert "data-offline" not in client.get("/").text
    assert "data-offline" not in sign_in(people.clerk).get("/admin/").text
