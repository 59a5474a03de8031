"""What happens to each patient of the demo, as events at their own moments, through the actions staff use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from patients import actions as records
from patients.models import Appointment, AppointmentKind, Episode, ImagingRequest, Patient
from portal import actions as portal_actions
from portal.demo import PARENT, PASSWORD, PATIENT, SECOND_PARENT
from portal.models import Clinic, Invitation, User
from procedures.models import PathwayVersion
from reminders import actions
from reminders.demo import check_ins, consents, exercises, smoke_free
from reminders.demo.cast import Part
from reminders.demo.playback import Event

ADULT_STAY = timedelta(days=3)
CHILD_STAY = timedelta(days=6)
_WITH_PASSWORD = {PATIENT.email, PARENT.email, SECOND_PARENT.email}


@dataclass
class Stage:
    """The clinic a story plays at, its staff by role, and its approved pathways by audience."""

    clinic: Clinic
    staff: dict[str, User]
    versions: dict[str, PathwayVersion]
    today: date

    def moment(self, day: date, at: time) -> datetime:
        """A local time of the clinic as a moment."""
        return datetime.combine(day, at, self.clinic.zone)


class Story:
    """One patient's story. The patient and the episode come into being with the first event."""

    def __init__(self, part: Part, stage: Stage, number: int) -> None:
        self.part, self.stage, self.number = part, stage, number
        self.surgery_on = stage.today + timedelta(days=part.surgery_in - part.moved_by)
        self.patient: Patient
        self.episode: Episode

    def events(self) -> Iterator[Event]:
        """All that happens to the patient up to today and a little beyond."""
        # Each patient comes at a minute of their own.
        booked_at = time(9 + self.number % 7, 5 * self.number % 60)
        decided_on = self.surgery_on - timedelta(days=self.part.booked_before)
        decided_on = min(decided_on, self.stage.today - timedelta(days=1))
        if self.part.has_no_operation:
            yield self._event(decided_on, booked_at, self._arrive)
            return
        yield self._event(decided_on, booked_at, self._book)
        yield from self._before_surgery()
        if not self.part.is_cancelled:
            yield from self._around_surgery()
            yield from self._afterwards()

    def _event(self, day: date, at: time, do: Callable[[datetime], object]) -> Event:
        return Event(self.stage.moment(day, at), do)

    @property
    def _final_surgery_on(self) -> date:
        return self.surgery_on + timedelta(days=self.part.moved_by)

    @property
    def _discharge_on(self) -> date:
        return self._final_surgery_on + (CHILD_STAY if self.part.is_child else ADULT_STAY)

    def _before_surgery(self) -> Iterator[Event]:
        if self.part.moved_by:
            yield self._event(self.surgery_on - timedelta(days=10), time(11), self._move)
        yield from self._stopping()
        yield self._event(self._final_surgery_on - timedelta(days=20), time(19), self._decide)
        yield self._event(self._final_surgery_on - timedelta(days=19), time(19, 30), self._wish)
        if self.part.is_cancelled:
            yield self._event(self.surgery_on - timedelta(days=11), time(15), self._cancel)

    def _stopping(self) -> Iterator[Event]:
        if self.part.uses_nicotine:
            day = self._final_surgery_on - timedelta(days=smoke_free.STOPS)
            yield self._event(day, time(18), partial(self._stop, day))
            for days in smoke_free.SLIPS if self.number % 2 else ():
                day = self._final_surgery_on - timedelta(days=days)
                yield self._event(day, time(21, 10), self._slip)

    def _around_surgery(self) -> Iterator[Event]:
        yield self._event(self._final_surgery_on, time(7), self._admit)
        yield self._event(self._discharge_on, time(11), self._discharge)

    def _afterwards(self) -> Iterator[Event]:
        for week in range(1, 40):
            yield self._event(self._discharge_on + timedelta(weeks=week), time(13), self._tend)
        for days in check_ins.PAIN_ON:
            day = self._discharge_on + timedelta(days=days)
            yield self._event(day, time(8, self.number % 60), partial(self._check_in, days))
        yield from self._exercising()
        if self.part.former_carer is not None:
            ended_on = self.stage.today - timedelta(days=30)
            yield self._event(ended_on, time(10, 30), self._end_access)
        if self.part.closed_after is not None:
            closed_on = self._final_surgery_on + timedelta(days=self.part.closed_after)
            yield self._event(closed_on, time(14), self._close)
        if self.part.died_after is not None:
            died_on = self._final_surgery_on + timedelta(days=self.part.died_after)
            yield self._event(died_on, time(16), self._die)

    def _exercising(self) -> Iterator[Event]:
        for days in exercises.PHASES:
            day = self._discharge_on + timedelta(days=days)
            yield self._event(day, time(15), partial(self._prescribe, days))
        for days in range(1, 7 * exercises.WEEKS_TOLD):
            day = self._discharge_on + timedelta(days=days)
            yield self._event(day, time(8, 30), partial(self._exercise, days))

    # --- What happens ------------------------------------------------------------------------

    def _arrive(self, now: datetime) -> None:
        self.patient = self._register(now)
        self._link_and_invite(now)

    def _book(self, now: datetime) -> None:
        self._arrive(now)
        self.episode, _ = actions.book(
            patient=self.patient,
            version=self.stage.versions["child" if self.part.is_child else "adult"],
            side=self.part.side,
            surgery_on=self.surgery_on,
            surgeon=self.stage.staff.get("surgeon"),
            by=self.stage.staff["clerk"],
            now=now,
        )
        self._book_visit(AppointmentKind.PRE_ASSESSMENT, self.surgery_on - timedelta(days=14), now)

    def _register(self, now: datetime) -> Patient:
        part = self.part
        born = self.stage.today.replace(day=1) - timedelta(days=365 * part.age + 11 * self.number)
        return records.register_patient(
            clinic=self.stage.clinic, by=self.stage.staff["clerk"], now=now, email=self._email(),
            record_number=f"BF-{10400 + self.number}", given_name=part.given_name,
            family_name=part.family_name, birth_date=born, phone=f"01632 960{self.number:03}",
            uses_nicotine=part.uses_nicotine, drives=part.drives and not part.is_child,
            job="none" if part.is_child else part.job, lives_alone=part.lives_alone,
            cares_for_others=part.cares_for_others, uses_wheelchair=part.uses_wheelchair,
        )  # fmt: skip

    def _email(self) -> str:
        part = self.part
        if part.login:
            return part.login.email
        if part.is_child or part.email == "":
            return ""
        return f"{part.given_name}.{part.family_name.split('-')[0]}@patients.example".lower()

    def _link_and_invite(self, now: datetime) -> None:
        former = (self.part.former_carer,) if self.part.former_carer else ()
        for carer in self.part.carers + former:
            link = records.link_carer(
                patient=self.patient, email=carer.email, name=carer.name, relationship="parent",
                by=self.stage.staff["clerk"], now=now,
            )  # fmt: skip
            self._invite(link.user, now)
        if self.patient.user:
            self._invite(self.patient.user, now)

    def _invite(self, user: User, now: datetime) -> None:
        """Invite once. Every third never answers, so that somebody is left to be called."""
        if Invitation.objects.filter(user=user).exists():
            return
        invitation = portal_actions.invite(
            user=user, clinic=self.stage.clinic, by=self.stage.staff["clerk"], now=now
        )
        has_been_in = user.email in _WITH_PASSWORD or self.part.is_cancelled
        if self.number % 3 or has_been_in:
            # The others sign in with a code by mail.
            password = PASSWORD if user.email in _WITH_PASSWORD else None
            portal_actions.accept_invitation(invitation=invitation, password=password, now=now)

    def _reader(self, now: datetime) -> User | None:
        """Who answers for the patient."""
        links = self.patient.related_people.live(now.date()).select_related("user")
        return self.patient.user or next((link.user for link in links), None)

    def _decide(self, now: datetime) -> None:
        if hasattr(self, "episode") and (by := self._reader(now)):
            consents.decide(self.episode, self.number, by=by, now=now)

    def _wish(self, now: datetime) -> None:
        """Every other one confirms the next visit; every fourth asks for another time, and is answered later."""
        if not hasattr(self, "episode") or not (by := self._reader(now)):
            return
        visit = self.episode.appointments.booked().filter(starts_at__gt=now).first()
        if visit is None:
            return
        if self.number % 4 == 1:
            records.ask_to_move(
                appointment=visit, reason="I cannot get the day off work.", wishes="Fridays, or after 3 pm.",
                by=by, now=now,
            )  # fmt: skip
        elif self.number % 2:
            records.confirm_appointment(appointment=visit, seen_at=visit.starts_at, by=by, now=now)

    def _stop(self, day: date, now: datetime) -> None:
        if hasattr(self, "episode") and self.patient.user and self.episode.is_open:
            smoke_free.stop(self.episode, day, by=self.patient.user, now=now)

    def _slip(self, now: datetime) -> None:
        if hasattr(self, "episode") and self.patient.user:
            smoke_free.slip(self.episode, by=self.patient.user, now=now)

    def _move(self, now: datetime) -> None:
        actions.move_anchor(
            episode=self.episode, anchor="surgery", on=self._final_surgery_on,
            by=self.stage.staff["manager"], now=now, reason="The theatre is closed that week.",
        )  # fmt: skip

    def _cancel(self, now: datetime) -> None:
        actions.cancel_surgery(
            episode=self.episode, by=self.stage.staff["manager"], now=now,
            reason="The patient has decided against it for now.",
        )  # fmt: skip

    def _admit(self, now: datetime) -> None:
        for anchor in ("admission", "surgery"):
            actions.move_anchor(
                episode=self.episode, anchor=anchor, on=self._final_surgery_on,
                by=self._ward(), now=now,
            )  # fmt: skip

    def _discharge(self, now: datetime) -> None:
        actions.move_anchor(
            episode=self.episode,
            anchor="discharge",
            on=self._discharge_on,
            by=self._ward(),
            now=now,
        )
        for days in (10, 24, 45):
            self._book_visit(
                AppointmentKind.PHYSIOTHERAPY, self._discharge_on + timedelta(days=days), now
            )
        self._book_visit(AppointmentKind.CLINIC, self._discharge_on + timedelta(days=42), now)

    def _tend(self, now: datetime) -> None:
        """What staff do once a week: settle visits that are over, and book X-rays that come near."""
        if not self.patient.is_contactable:
            return
        for visit in self.episode.appointments.booked().filter(starts_at__lt=now):
            self._settle(visit, now)
        horizon = now.date() + timedelta(days=21)
        for request in self.episode.imaging_requests.to_book().filter(window_from__lte=horizon):
            self._book_xray(request, now)

    def _settle(self, visit: Appointment, now: datetime) -> None:
        if self.part.misses_xray and visit.kind == AppointmentKind.XRAY:
            records.mark_missed(appointment=visit, by=self._ward(), now=now)
        else:
            records.mark_attended(appointment=visit, by=self._ward(), now=now)

    def _book_xray(self, request: ImagingRequest, now: datetime) -> None:
        if self.part.misses_xray and self.episode.appointments.filter(kind="xray").exists():
            return
        day = max(request.window_from + timedelta(days=2), now.date() + timedelta(days=5))
        self._book_visit(AppointmentKind.XRAY, day, now, request)

    def _book_visit(
        self, kind: str, day: date, now: datetime, request: ImagingRequest | None = None
    ) -> None:
        # The clinic is closed at weekends.
        day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)
        records.book_appointment(
            episode=self.episode, kind=kind, on=day, at=time(9 + self.number % 7, 20),
            by=self.stage.staff["clerk"], now=now, imaging_request=request,
            location=self.stage.clinic.locations.first(),
        )  # fmt: skip

    def _check_in(self, days: int, now: datetime) -> None:
        """Every fourth answers nothing; where two care for a child, they take turns."""
        links = list(self.patient.related_people.live(now.date()).select_related("user"))
        by = self.patient.user or (links[days % len(links)].user if links else None)
        if by is None or not self.number % 4 or not self.patient.is_contactable:
            return
        check_ins.answer(self.episode, self.part.name, days, by=by, now=now)
        check_ins.acknowledge(
            self.episode, self.part.name, by=self._ward(), now=now + timedelta(minutes=12)
        )

    def _prescribe(self, days: int, now: datetime) -> None:
        by = self.stage.staff.get("physiotherapist")
        if by and self.episode.is_open and self.patient.is_contactable:
            exercises.start_phase(self.episode, days, by=by, now=now)

    def _exercise(self, days: int, now: datetime) -> None:
        """Every third ticks nothing off; the others on most days."""
        links = list(self.patient.related_people.live(now.date()).select_related("user"))
        by = self.patient.user or (links[0].user if links else None)
        if by is None or not self.number % 3 or not self.patient.is_contactable:
            return
        exercises.do(self.episode, days, by=by, now=now)

    def _end_access(self, now: datetime) -> None:
        for link in self.patient.related_people.select_related("user"):
            if self.part.former_carer and link.user.email == self.part.former_carer.email:
                records.end_carer(link=link, by=self.stage.staff["clerk"], now=now)

    def _close(self, now: datetime) -> None:
        records.close_episode(
            episode=self.episode, status=Episode.Status.FINISHED, by=self._ward(), now=now,
            reason="All is well, and no further visit is needed.",
        )  # fmt: skip

    def _die(self, now: datetime) -> None:
        records.mark_deceased(patient=self.patient, on=now.date(), by=self._ward(), now=now)

    def _ward(self) -> User:
        return self.stage.staff.get("nurse") or self.stage.staff["manager"]
