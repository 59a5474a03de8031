"""Nothing lost and nothing repeated: workers killed, brokers wiped, mail servers at their worst.

Each test ends with every reminder sent, one Message-ID for each, and no second copy that a mailbox
would show. A kill may leave copies of the mails that were on the wire; they carry the same Message-ID.
"""

import contextlib
import os
import random
import signal
import time

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection

from reminders import balance
from reminders.models import Decision, Message, Reminder
from tests.faults.scene import IN_FLIGHT, Remains, drain, fill, hurry
from tests.processes import wait_until

pytestmark = pytest.mark.fault
FOR_NOW_AND_FOR_GOOD = ("554 5.6.0 no", "451 4.3.0 try later")


def sent() -> int:
    return Reminder.objects.filter(state="sent").count()


def assert_all_there(remains: Remains, number: int) -> None:
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0,
        number,
        number,
        0,
    )
    assert remains.extra_copies <= remains.kills * IN_FLIGHT
    now = Reminder.objects.latest("settled_at").settled_at
    assert now is not None
    assert balance.check(now=now) == []


def kill_at_random(crowd, workers, server, size):
    """Kill pool processes, and now and then a whole worker, while they send; leave as many workers as there were."""
    chance = random.Random(11)
    wait_until(lambda: server.delivered, 120, "the first mail")
    deadline = time.monotonic() + size.seconds
    while crowd.kills < size.kills and is_work_left() and time.monotonic() < deadline:
        number = chance.randrange(len(workers))
        if crowd.is_up(workers[number]):
            if chance.random() < 0.1:
                crowd.kill(workers[number])
            else:
                crowd.kill_child(workers[number])
        workers = [crowd.revived(worker) for worker in workers]
        time.sleep(chance.uniform(0.1, 0.6))
    # A worker that lost its children too often gives up; whoever watches it starts another.
    for worker in workers:
        crowd.revived(worker)


def is_work_left() -> bool:
    return Reminder.objects.exclude(state__in=("sent", "failed")).exists()


def test_workers_killed_while_they_send(crowd, server, broker, size, note):
    fill(size.mails)
    server.delay = 0.3
    workers = [crowd.worker(processes=2) for _ in range(2)]
    crowd.beat()
    kill_at_random(crowd, workers, server, size)

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, crowd.kills, drained_in=drained_in)
    note(remains)
    assert crowd.kills > 0
    assert_all_there(remains, size.mails)


def test_sweepers_killed_between_the_servers_answer_and_the_record(crowd, server, size, note):
    """The server's 250 comes late, so that nearly every kill falls into the window that SMTP leaves open."""
    fill(size.mails)
    server.delay = 0.05
    for _ in range(size.kills):
        before = len(server.delivered)
        sweeper = crowd.sweeper()
        wait_until(
            lambda seen=before: len(server.delivered) > seen + 2 or sent() == size.mails,
            60,
            "a mail",
        )
        crowd.kill(sweeper)
    server.delay = 0
    crowd.sweeper()

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, crowd.kills, drained_in=drained_in)
    note(remains)
    assert_all_there(remains, size.mails)


def test_a_broker_that_forgets_everything(crowd, server, broker, size, note):
    fill(size.mails)
    server.delay = 0.02
    crowd.worker(processes=2)
    crowd.beat()
    wait_until(sent, 120, "the first mail")
    for _ in range(size.flushes):
        broker.flushall()
        time.sleep(0.5)

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(f"{size.flushes} x FLUSHALL, {remains}")
    assert_all_there(remains, size.mails)


def test_a_broker_that_stands_still_for_longer_than_any_patience(
    crowd, server, redis_process, broker, size, note
):
    """A worker cannot say that its task is done, a sweeper delivers meanwhile, and the worker goes on."""
    fill(size.mails)
    server.delay = 0.02
    crowd.worker()
    crowd.beat()
    wait_until(sent, 120, "the first mail")
    os.kill(redis_process.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        sweeper = crowd.sweeper()
        drain(server, size.seconds)
        time.sleep(max(0, stopped + 10 - time.monotonic()))
        crowd.kill(sweeper)
    finally:
        os.kill(redis_process.pid, signal.SIGCONT)
    later, started = fill(5, "later"), time.monotonic()

    drained_in = drain(server, 120)

    remains = Remains.of(server, drained_in=drained_in)
    resumed = time.monotonic() - started
    note(f"{remains}; the worker sent again {resumed:.0f} s after the broker went on")
    assert_all_there(remains, size.mails + len(later))


def test_many_beats_sweepers_and_workers_at_once(crowd, server, broker, size, note):
    fill(size.mails)
    server.delay = 0.005
    for start, number in (
        (crowd.beat, size.beats),
        (crowd.worker, size.workers),
        (crowd.sweeper, size.sweepers),
    ):
        for _ in range(number):
            start()

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(f"{size.beats} beats, {size.sweepers} sweepers, {size.workers} workers: {remains}")
    assert_all_there(remains, size.mails)
    assert remains.extra_copies == 0


def test_a_mail_server_that_refuses_connections_and_comes_back(crowd, server, size, note):
    fill(size.mails)
    server.shut()
    crowd.sweeper()
    wait_until(lambda: Reminder.objects.filter(state="retrying").exists(), 60, "the first failure")
    assert server.delivered == []
    server.listen()

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(remains)
    assert_all_there(remains, size.mails)
    assert Decision.objects.filter(gate="mail_server").exists()


def test_a_mail_server_that_refuses_at_random(crowd, server, size, note):
    fill(size.mails)
    server.refuses = 0.3
    crowd.sweeper()

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(f"3 of 10 refused with 4xx: {remains}")
    assert_all_there(remains, size.mails)
    assert remains.extra_copies == 0
    assert Message.objects.filter(attempts__gt=1).exists()


def test_a_mail_server_that_refuses_some_for_good(crowd, server, size, note):
    fill(size.mails)
    server.refuses, server.refusals = 0.2, FOR_NOW_AND_FOR_GOOD
    crowd.sweeper()

    drained_in = drain(server, size.seconds, ends=("sent", "failed"))

    remains = Remains.of(server, drained_in=drained_in)
    note(remains)
    assert 0 < remains.failed < size.mails
    assert set(Reminder.objects.filter(state="failed").values_list("reason", flat=True)) == {
        "refused"
    }
    assert (remains.lost, remains.messages, remains.extra_copies) == (
        0,
        size.mails - remains.failed,
        0,
    )


def test_workers_killed_while_the_mail_server_refuses_now_and_for_good(
    crowd, server, broker, size, note
):
    """A mail that nobody knows of whether it went may be refused for good on its second try: it reached its reader."""
    fill(size.mails)
    server.delay, server.refuses, server.refusals = 0.3, 0.2, FOR_NOW_AND_FOR_GOOD
    workers = [crowd.worker(processes=2) for _ in range(2)]
    crowd.beat()
    kill_at_random(crowd, workers, server, size)

    drained_in = drain(server, size.seconds, ends=("sent", "failed"))

    remains = Remains.of(server, crowd.kills, drained_in=drained_in)
    note(remains)
    assert 0 < remains.failed < size.mails
    assert (remains.lost, remains.messages, remains.duplicates) == (
        0, size.mails - remains.failed, 0,
    )  # fmt: skip
    assert crowd.kills > 0
    assert remains.extra_copies <= crowd.kills * IN_FLIGHT


def test_a_mail_server_that_hangs_up_after_it_took_the_mail(crowd, server, size, note):
    """It took the mail and its answer was lost: the mail goes again, with the same Message-ID."""
    fill(size.mails)
    server.drops = 0.2
    crowd.sweeper()

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(f"2 of 10 answers lost: {remains}")
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0, size.mails, size.mails, 0,
    )  # fmt: skip
    assert remains.extra_copies > 0


def test_a_mail_server_slower_than_our_patience(crowd, server, size, note):
    """For a while no answer comes in time; each mail it took meanwhile comes again with the same Message-ID."""
    fill(12)
    server.delay = 20
    crowd.env["FAULTS_PATIENCE"] = "2"
    crowd.sweeper()
    wait_until(lambda: Reminder.objects.filter(state="retrying").count() >= 2, 60, "time-outs")
    server.delay = 0

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(remains)
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0,
        12,
        12,
        0,
    )


def test_a_mail_server_that_says_nothing_on_open_connections(crowd, server, size, note):
    """Half-open: the connections stand, and nothing comes. Mails on the wire are in doubt, the others wait."""
    fill(size.mails)
    server.delay = 0.02
    crowd.env["FAULTS_PATIENCE"] = "2"
    crowd.sweeper()
    wait_until(lambda: server.delivered, 120, "the first mail")
    server.is_frozen = True
    time.sleep(5)
    server.is_frozen = False

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(remains)
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0, size.mails, size.mails, 0,
    )  # fmt: skip


def test_sweepers_killed_while_the_mail_server_refuses_and_drops(crowd, server, size, note):
    fill(size.mails)
    server.delay, server.refuses, server.drops = 0.02, 0.2, 0.05
    for _ in range(size.kills):
        before = len(server.delivered)
        sweeper = crowd.sweeper()
        wait_until(
            lambda seen=before: len(server.delivered) > seen + 2 or hurry() or is_all_sent(),
            60,
            "a mail",
        )
        crowd.kill(sweeper)
    crowd.sweeper()

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, crowd.kills, drained_in=drained_in)
    note(remains)
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0, size.mails, size.mails, 0,
    )  # fmt: skip


def is_all_sent() -> bool:
    return not Reminder.objects.exclude(state="sent").exists()


def test_a_clock_that_is_stepped_two_hours_either_way(crowd, server, size, note):
    """Leases seem to have run out, or to last for hours: what is on the wire may go twice, the same mail."""
    fill(size.mails)
    server.delay = 0.05
    crowd.set_clock(0)
    for _ in range(size.sweepers):
        crowd.sweeper()
    wait_until(lambda: server.delivered, 120, "the first mail")
    for hours in (2, 0, -2, 0):
        crowd.set_clock(hours)
        time.sleep(1)

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(f"clock stepped 4 times: {remains}")
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0, size.mails, size.mails, 0,
    )  # fmt: skip
    assert remains.extra_copies <= 4 * size.sweepers * IN_FLIGHT


@pytest.mark.server
def test_a_database_that_goes_away_and_comes_back(crowd, server, size, note):
    """All connections are ended again and again; alone on its server the test has it crash and recover too."""
    fill(size.mails)
    server.delay = 0.02
    with connection.cursor() as cursor:
        # The tests' server forgets the last moment in a crash, for speed; a clinic's does not.
        name = connection.settings_dict["NAME"]
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    sweepers = [crowd.sweeper() for _ in range(size.sweepers)]
    wait_until(lambda: server.delivered, 120, "the first mail")
    for _ in range(size.kills):
        throw_everybody_out(crashes="PYTEST_XDIST_WORKER" not in os.environ)
        sweepers = [each if each.poll() is None else crowd.sweeper() for each in sweepers]
        time.sleep(0.5)

    drained_in = drain(server, size.seconds)

    remains = Remains.of(server, drained_in=drained_in)
    note(f"database gone {size.kills} times: {remains}")
    assert (remains.lost, remains.messages, remains.message_ids, remains.duplicates) == (
        0, size.mails, size.mails, 0,
    )  # fmt: skip
    assert remains.extra_copies <= size.kills * size.sweepers * IN_FLIGHT


def throw_everybody_out(*, crashes: bool) -> None:
    """End all sessions on the database; with `crashes` the whole server dies at once and recovers from its log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        others = [pid for (pid,) in cursor.fetchall()]
        if not crashes:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [others])
    if crashes and others:
        with contextlib.suppress(ProcessLookupError):
            os.kill(others[0], signal.SIGKILL)
        # The server notices, ends everybody else, and only then turns callers away.
        time.sleep(1)
    connection.close()
    wait_until(is_database_back, 60, "the database")


def is_database_back() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        connection.close()
        return False
    return True


def test_one_poisoned_mail_holds_up_no_other(crowd, server, broker, size, note):
    reminders = fill(size.mails)
    poisoned = reminders[size.mails // 2]
    poisoned.recipient.email = "two\nlines@patients.example"
    poisoned.recipient.save()
    crowd.worker()
    crowd.beat()

    drained_in = drain(server, size.seconds, ends=("sent", "failed"))

    poisoned.refresh_from_db()
    note(
        f"{len(server.delivered)} of {size.mails} delivered, the poisoned one is “{poisoned.state}”; "
        f"all settled in {drained_in:.0f} s"
    )
    assert (poisoned.state, len(server.delivered)) == ("failed", size.mails - 1)
    assert set(server.copies.values()) == {1}
    assert django_settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
