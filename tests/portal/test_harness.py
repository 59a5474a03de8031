"""The fixtures themselves: each is real, and each notices what it is there to notice."""

import os
import smtplib
import socket

import pytest
from django.core.mail import EmailMessage
from django.db import connection

from portal.celery import app
from tests.browser import complaining_pages
from tests.processes import wait_until


def test_the_network_beyond_this_machine_is_barred():
    with (
        pytest.warns(UserWarning, match=r"socket\.connect"),
        pytest.raises(RuntimeError, match=r"203\.0\.113\.7"),
        socket.socket() as probe,
    ):
        probe.connect(("203.0.113.7", 80))


def test_mail_arrives_over_smtp(smtp_server):
    EmailMessage("Your plan", "Hello", "clinic@example.com", ["pat@example.com"]).send()

    assert [mail.subject for mail in smtp_server.to("pat@example.com")] == ["Your plan"]
    assert smtp_server.delivered[0].sender == "clinic@example.com"
    assert smtp_server.delivered[0].text.strip() == "Hello"


def test_the_mail_server_refuses_when_told_to(smtp_server):
    smtp_server.data_replies.append("451 4.3.0 try later")
    mail = EmailMessage("Your plan", "Hello", "clinic@example.com", ["pat@example.com"])

    with pytest.raises(smtplib.SMTPDataError, match="try later"):
        mail.send()
    mail.send()

    assert (len(smtp_server.refused), len(smtp_server.delivered)) == (1, 1)


@pytest.mark.django_db
def test_the_database_is_the_one_asked_for():
    wanted = os.environ.get("TEST_DATABASE", "sqlite")

    assert connection.vendor == wanted


def test_what_opens_no_database_is_run_beside_one_kind(request):
    assert request.node.get_closest_marker("once")


def test_what_may_open_one_is_run_beside_both(request, people):
    assert request.node.get_closest_marker("once") is None


@pytest.mark.django_db
@pytest.mark.server
def test_what_only_a_server_can_do_is_asked_of_one():
    assert connection.vendor != "sqlite"


@pytest.mark.fault
def test_a_worker_takes_tasks_from_the_broker(worker, broker):
    app.send_task("celery.ping")

    wait_until(lambda: "celery.ping" in worker.log, what="the task")
    wait_until(lambda: broker.llen("stepwise") == 0, what="an empty queue")


@pytest.mark.journey
def test_a_browser_shows_the_site(page, phone, site):
    for each in (page, phone):
        each.goto("/accounts/login/")

        assert each.title() != ""


@pytest.mark.journey
def test_a_blocked_script_is_noticed(chromium, site):
    pages = complaining_pages(chromium, site.url)
    opened = next(pages)()
    opened.goto("/accounts/login/")
    opened.evaluate("document.head.appendChild(document.createElement('script')).text = 'let a'")

    with pytest.raises(AssertionError, match="Content Security Policy"):
        next(pages)
