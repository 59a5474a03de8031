"""The pages of the staff admin to picture, by role: lists, forms with errors, and what is shown before a deed."""

from __future__ import annotations

from datetime import date, timedelta

from shots import KEY, Shot, shots

FORM = "#content form.sw-form"
SOON = str(date.today() + timedelta(days=45))  # noqa: DTZ011 - the demo runs by this machine's day
LISTS = shots(
    "/admin/patients/patient/", "/admin/patients/episode/", "/admin/patients/appointment/",
    "/admin/patients/imagingrequest/", "/admin/patients/alert/", "/admin/patients/checkin/",
    "/admin/reminders/reminder/", "/admin/reminders/message/", "/admin/reminders/suppression/",
    "/admin/procedures/pathwayversion/", "/admin/procedures/procedure/", "/admin/procedures/disagreement/",
    "/admin/procedures/slot/", "/admin/procedures/fact/", "/admin/procedures/source/", "/admin/procedures/page/",
    "/admin/portal/clinic/", "/admin/portal/location/", "/admin/portal/user/", "/admin/portal/invitation/",
    "/admin/portal/auditevent/",
)  # fmt: skip
PAGES = shots(
    "/admin/", "/admin/worklist/", "/admin/worklist/?kind=smoker", "/admin/worklist/?whose=mine", "/admin/day/",
    "/admin/xrays/", "/admin/exercises/", "/admin/simulator/", "/admin/imports/", "/admin/sending/", "/admin/channels/",
    "/admin/sending/outlook/", "/admin/consents/", "/admin/merges/", "/admin/emergencies/", "/admin/emergency/",
    "/admin/audit/chain/", "/admin/staff/invite/", "/admin/patient/add/",
)  # fmt: skip
# From the list of operations, the one furthest ahead stands first.
TO_PATIENT = ("/admin/patients/episode/", f"/admin/patient/{KEY}/$")


def of_patient(name: str, link: str, *, errors: bool = False, **fills: str) -> tuple[Shot, ...]:
    """A page that a patient's page leads to; with its errors, and with what it shows once it is filled in."""
    path, patient = TO_PATIENT
    way = (patient, link)
    found = [Shot(name, path, way)]
    if errors:
        found.append(Shot(f"{name}-errors", path, way, sends=FORM))
    if fills:
        found.append(Shot(f"{name}-shown", path, way, sends=FORM, fills=tuple(fills.items())))
    return tuple(found)


PATIENT = (
    Shot("patient", TO_PATIENT[0], (TO_PATIENT[1],)),
    *of_patient("timeline", "/timeline/$"),
    *of_patient("note", "/note/$", errors=True),
    *of_patient("edit", f"/patient/{KEY}/edit/$", errors=True),
    *of_patient("invite", f"/patient/{KEY}/invite/$"),
    *of_patient("carer", "/carers/add/$", errors=True),
    *of_patient("book", f"/patient/{KEY}/book/$", errors=True),
    *of_patient("deceased", "/deceased/$", errors=True),
    *of_patient("merge", "/merge/$", errors=True),
    *of_patient("move", f"/episode/{KEY}/move/$", errors=True, on=SOON),
    *of_patient("postpone", "/postpone/$", errors=True, reason="Theatre is closed"),
    *of_patient("date", f"/episode/{KEY}/date/$", errors=True),
    *of_patient("milestone", "/milestone/$", errors=True),
    *of_patient("hold", "/hold/$", errors=True, what="category:physiotherapy", reason="Wound"),
    *of_patient("cancel", f"/episode/{KEY}/cancel/$", errors=True, reason="Not needed"),
    *of_patient("finish", "/finish/$"),
    *of_patient("simulate", "/simulate/$", other_surgery_on=SOON),
    *of_patient("visit", "/visits/book/$", errors=True, on=SOON, at="10:30"),
    *of_patient("send-now", "/send/$"),
    *of_patient("stop", f"/reminder/{KEY}/stop/$", errors=True),
)
ROWS = (
    Shot("task", "/admin/worklist/?kind=smoker", ("/resolve/$",)),
    Shot("task-errors", "/admin/worklist/?kind=smoker", ("/resolve/$",), sends=FORM),
    Shot("message", "/admin/reminders/message/", (f"/admin/message/{KEY}/$",)),
    Shot("reminder", "/admin/reminders/reminder/", (f"/reminders/reminder/{KEY}/change/$",)),
    Shot("version", "/admin/procedures/pathwayversion/", (f"/pathwayversion/{KEY}/change/$",)),
    Shot("version-preview", "/admin/procedures/pathwayversion/", (f"/pathwayversion/{KEY}/change/$", "/preview/$")),
    Shot("disagreement", "/admin/procedures/disagreement/", (f"/disagreement/{KEY}/change/$",)),
    Shot("slot", "/admin/procedures/slot/", (f"/slot/{KEY}/change/$",)),
    Shot("guide-page", "/admin/procedures/page/", (f"/page/{KEY}/change/$",)),
    Shot("consent", "/admin/consents/", (f"/consents/{KEY}/$",)),
    Shot("clinic", "/admin/portal/clinic/", (f"/clinic/{KEY}/change/$",)),
    Shot("user", "/admin/portal/user/", (f"/user/{KEY}/change/$",)),
    Shot("roles", "/admin/portal/user/", (f"/user/{KEY}/change/$", "/roles/$")),
    Shot("sign-ins", "/admin/portal/user/", (f"/user/{KEY}/change/$", "/sign-ins/$")),
    Shot("audit-event", "/admin/portal/auditevent/", (r"/auditevent/\d+/change/$",)),
    Shot("emergency-errors", "/admin/emergency/", sends=FORM),
    Shot("staff-invite-errors", "/admin/staff/invite/", sends=FORM),
    Shot("imports-errors", "/admin/imports/", sends=FORM),
    Shot("simulator-shown", "/admin/simulator/", sends=FORM, fills=(("surgery_on", SOON),)),
)  # fmt: skip
STAFF: dict[str, tuple[Shot, ...]] = {
    "manager": (*PAGES, *LISTS, *PATIENT, *ROWS),
    "clerk": shots("/admin/", "/admin/day/", "/admin/imports/", "/admin/worklist/"),
    "nurse": (
        *shots("/admin/", "/admin/worklist/"),
        Shot("alert", "/admin/patients/alert/", (f"/alerts?/{KEY}/",)),
        Shot("wish", "/admin/worklist/?kind=wish", (f"/visit/wishes/{KEY}/$",)),
    ),
    "physio": (
        *shots("/admin/", "/admin/exercises/"),
        Shot("patient", "/admin/exercises/", (f"/admin/patient/{KEY}/",)),
        Shot("prescribe", "/admin/exercises/", (f"/admin/patient/{KEY}/", "/exercises/add/$")),
        Shot("prescribe-errors", "/admin/exercises/", (f"/admin/patient/{KEY}/", "/exercises/add/$"), sends=FORM),
        Shot("copy", "/admin/exercises/", (f"/admin/patient/{KEY}/", "/exercises/copy/$")),
    ),
    "radiographer": (
        *shots("/admin/", "/admin/xrays/", "/admin/xrays/day/"),
        Shot("book", "/admin/xrays/", (f"/xrays/{KEY}/book/$",)),
        Shot("result", "/admin/xrays/", (f"/xrays/{KEY}/result/$",)),
        Shot("day-errors", "/admin/xrays/day/", sends=FORM),
    ),
    "surgeon": shots("/admin/", "/admin/simulator/"),
    "auditor": shots("/admin/", "/admin/portal/auditevent/", "/admin/audit/chain/", "/admin/emergencies/"),
}  # fmt: skip
