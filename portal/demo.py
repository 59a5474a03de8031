"""Who works at the demo clinic, and how to sign in to it. Everybody here is invented."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext_noop

from portal.models import Role

# Published on purpose: the demo holds invented people alone and listens on this machine alone.
PASSWORD = "walk-with-stepwise"  # noqa: S105

CLINIC_SLUG = "brackenfield"
SECOND_CLINIC_SLUG = "northmere"


class Login(NamedTuple):
    """One account of the demo."""

    email: str
    name: str
    role: str


STAFF: tuple[Login, ...] = (
    Login("manager@brackenfield.example", "Harriet Vane-Olusola", Role.MANAGER),
    Login("surgeon@brackenfield.example", "Tomasz Wrenfield", Role.SURGEON),
    Login("nurse@brackenfield.example", "Blessing Thorncroft", Role.NURSE),
    Login("physio@brackenfield.example", "Isolde Marchbank", Role.PHYSIOTHERAPIST),
    Login("radiographer@brackenfield.example", "Kwame Fernleigh", Role.RADIOGRAPHER),
    Login("clerk@brackenfield.example", "Priya Holloway-Dent", Role.CLERK),
    Login("auditor@brackenfield.example", "Oskar Lindenholm", Role.AUDITOR),
)
SECOND_CLINIC_STAFF: tuple[Login, ...] = (
    Login("manager@northmere.example", "Ingrid Castellmare", Role.MANAGER),
    Login("clerk@northmere.example", "Rafael Underhay", Role.CLERK),
)
PATIENT = Login("alex@patients.example", "Alex Wintermere", gettext_noop("patient"))
PARENT = Login("sam@patients.example", "Sam Okonjo-Lark", gettext_noop("parent of two children"))
SECOND_PARENT = Login("dana@patients.example", "Dana Larkrise", "parent of one of them")


def logins() -> list[str]:
    """The lines that tell how to sign in, for the end of `make run` and for the front page."""
    shown = [row for row in STAFF if row.role in {Role.MANAGER, Role.CLERK, Role.PHYSIOTHERAPIST}]
    rows = [*shown, PATIENT, PARENT]
    wide = max(len(row.email) for row in rows)
    return [
        f"The demo clinic is invented, and so is everybody in it. Password for all: {PASSWORD}",
        *(f"  {row.email:<{wide}}  {row.name}, {row.role}" for row in rows),
        "Mails are kept in a local outbox: see /outbox/",
    ]
