"""Takes pictures of every page of a running demo, at each width, light, dark and right to left: `make screenshots`.

Needs `make run` in another terminal. Pictures go to var/screenshots/, one folder for each person. Says which
pages are wider than the screen or did not come, and ends with 1 where one did. What was looked at stands in
docs/screens.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright
from shots import KEY, Shot, shots
from staff_screens import STAFF

PASSWORD = "walk-with-stepwise"  # noqa: S105 - published on purpose, as portal/demo.py says
WIDTHS = (320, 390, 768, 1280)
# Name, colour scheme, language: the last one is read from right to left.
KINDS = (("light", "light", "en-gb"), ("dark", "dark", "en-gb"), ("rtl", "light", "ar"))
# Staff read no Arabic, and work at desks and on tablets.
STAFF_WIDTHS, STAFF_KINDS = (820, 1280), KINDS[:2]
NO_ROW = "has no such row"
EMPTY_AND_SEND = """form => {
  form.querySelectorAll("input:not([type=hidden]):not([type=radio]):not([type=checkbox]), textarea")
    .forEach(field => { field.value = ""; });
  form.noValidate = true;
  form.requestSubmit(form.querySelector("[type=submit]"));
}"""
SEND = """form => { form.noValidate = true; form.requestSubmit(form.querySelector("[type=submit]")); }"""
INVITED = "adaeze.fennimore@patients.example"
MOVE = (f"/appointments/{KEY}/$", f"/appointments/{KEY}/move/$")


ANYBODY = (
    *shots("/", "/accounts/login/", "/accounts/login/code/", "/accounts/password/reset/", "/invitation/new/",
           "/invitation/asked/", "/offline/", "/outbox/", "/accounts/signup/"),
    Shot("login-errors", "/accounts/login/", sends="main form.sw-form"),
    Shot("code-errors", "/accounts/login/code/", sends="main form.sw-form"),
    Shot("invitation-new-errors", "/invitation/new/", sends="main form.sw-form"),
    Shot("invitation-void", "/invitation/no-such-link/"),
    Shot("unsubscribe-void", "/unsubscribe/no-such-link/"),
    Shot("error-404", "/nothing-here/"),
    # To a patient who never came in, weeks ago; and to one who has.
    Shot("invitation-expired", INVITED, mailed="/invitation/"),
    Shot("unsubscribe", "alex@patients.example", mailed="/unsubscribe/"),
    Shot("unsubscribe-choices", "alex@patients.example", mailed="/unsubscribe/", first=("/unsubscribe/.*/more/$",)),
)  # fmt: skip
PATIENT = (
    *shots("/today/", "/plan/", "/appointments/", "/appointments/calendar/", "/messages/", "/check-in/",
           "/check-in/history/", "/exercises/", "/smoke-free/", "/smoke-free/plan/", "/x-rays/", "/consents/",
           "/guide/", "/my-guide/", "/settings/reminders/", "/who-can-see/", "/my-data/",
           "/my-data/phone/", "/my-data/email/", "/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/"),
    Shot("appointment", "/appointments/", first=(f"/appointments/{KEY}/$",)),
    Shot("appointment-move", "/appointments/", first=MOVE),
    Shot("appointment-move-errors", "/appointments/", first=MOVE, sends="main form.sw-form"),
    Shot("message", "/messages/", first=(f"/messages/{KEY}/$",)),
    Shot("why", "/messages/", first=(f"/why/{KEY}/$",)),
    Shot("check-in-errors", "/check-in/", sends="main form.sw-form"),
    Shot("check-in-result", "/check-in/history/", first=(f"/check-in/{KEY}/$",)),
    Shot("smoke-free-slip", "/smoke-free/", opens="main details"),
    Shot("smoke-free-plan-errors", "/smoke-free/plan/", sends="main form.sw-form"),
    Shot("consent", "/consents/", first=(f"/consents/{KEY}/[^/]+/$",)),
    Shot("consent-errors", "/consents/", first=(f"/consents/{KEY}/[^/]+/$",), sends="main form.sw-form"),
    Shot("phone-errors", "/my-data/phone/", sends="main form.sw-form"),
    Shot("email-errors", "/my-data/email/", sends="main form.sw-form"),
    Shot("password-errors", "/accounts/password/change/", sends="main form.sw-form"),
    Shot("guide-contents", "/guide/", first=("/guide/[^/]+/$",)),
    Shot("guide-page", "/my-guide/", first=("/guide/(?!.*(print|pdf))[^/]+/[^/]+/$",)),
    Shot("guide-print", "/my-guide/", first=("/guide/[^/]+/print/$",)),
    Shot("guide-search", "/guide/?q=pain"),
)  # fmt: skip
# What pages look like to people with whom something is otherwise.
STATE = shots(
    "/today/", "/plan/", "/appointments/", "/messages/", "/x-rays/", "/exercises/", "/check-in/"
)
PEOPLE: dict[str, tuple[str, tuple[Shot, ...]]] = {
    "nobody": ("", ANYBODY),
    "patient": ("alex@patients.example", PATIENT),
    "parent": ("sam@patients.example", PATIENT),
    "at-home": ("tobias.elmsgrove@patients.example", PATIENT),
    "without-operation": ("imre.holloway@patients.example", STATE),
    "day-of-surgery": ("bram.kestlewood@patients.example", STATE),
    "finished": ("wren.aldersyde@patients.example", STATE),
    "called-off": ("callum.reedsmouth@patients.example", STATE),
    "moved": ("hiroshi.pennywell@patients.example", STATE),
    "died": ("lars.meadowcroft@patients.example", STATE),
    "former-carer": ("obinna@families.example", STATE),
    **{role: (f"{role}@brackenfield.example", wanted) for role, wanted in STAFF.items()},
}
WITH_PASSWORD = {"patient", "parent", *STAFF}


def main() -> None:
    """Take all the pictures, saying which."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the demo runs")
    parser.add_argument("--to", type=Path, default=Path("var/screenshots"))
    parser.add_argument("--only", action="append", default=[], choices=PEOPLE, help="one person")
    parser.add_argument(
        "--page", action="append", default=[], help="one page, by its picture's name"
    )
    options = parser.parse_args()
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if program is None:
        parser.error("No Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM.")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        faults = 0
        for person in options.only or PEOPLE:
            for picture, fault in take_all(browser, options, person):
                faults += bool(fault) and fault != NO_ROW
                print(picture, fault)  # noqa: T201 - progress on the terminal
        browser.close()
    sys.exit(1 if faults else 0)


def take_all(
    browser: Browser, options: argparse.Namespace, person: str
) -> Iterator[tuple[str, str]]:
    """Sign in as one person, once for all kinds, and picture every page at each width."""
    email, wanted = PEOPLE[person]
    wanted = tuple(shot for shot in wanted if not options.page or shot.name in options.page)
    state = None
    is_staff = person in STAFF
    for name, scheme, language in STAFF_KINDS if is_staff else KINDS:
        context = browser.new_context(
            base_url=options.url, color_scheme=scheme, locale=language, service_workers="block",
            storage_state=state,
        )  # fmt: skip
        page = context.new_page()
        if email and state is None:
            sign_in(context, page, email, by_code=person not in WITH_PASSWORD)
            state = context.storage_state()
        choose_language(page, language)
        for shot in wanted:
            yield from take(
                page, shot, options.to / person, name, STAFF_WIDTHS if is_staff else WIDTHS
            )
        choose_language(page, "en-gb")
        context.close()


def choose_language(page: Page, language: str) -> None:
    """Read the pages in this language from now on; who is signed in keeps it."""
    page.goto("/offline/")
    with page.expect_navigation():
        page.locator(f"footer [value='{language}']").first.click()


def sign_in(context: BrowserContext, page: Page, email: str, *, by_code: bool) -> None:
    """Sign in with the demo's password, or with a code out of the demo's outbox."""
    last = newest_mail(context, email) if by_code else ""
    page.goto("/accounts/login/code/" if by_code else "/accounts/login/")
    page.locator("main form [type=email]").first.fill(email)
    if not by_code:
        page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form [type=submit]").first.click()
    if by_code:
        page.wait_for_url("**/confirm/**")
        page.locator("[name=code]").fill(code_of(context, email, last))
        page.locator("main form [type=submit]").first.click()
    page.wait_for_url(lambda address: "login" not in address)


def newest_mail(context: BrowserContext, email: str) -> str:
    """The path of the newest mail to this address in the outbox; empty where there is none."""
    mails = context.request.get(f"/outbox/?address={email}").text()
    found = re.search(rf'href="(/outbox/{KEY}/)', mails)
    return found[1] if found else ""


def code_of(context: BrowserContext, email: str, last: str) -> str:
    """The code in the mail that follows the one at path `last`. Raises RuntimeError where none comes."""
    for _try in range(30):
        path = newest_mail(context, email)
        if path != last:
            text = context.request.get(f"{path}?tab=text").text()
            if found := re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", text, re.MULTILINE):
                return found[1]
        context.pages[0].wait_for_timeout(1000)
    raise RuntimeError(f"No code came for {email}: does the demo's worker run?")


def link_mailed(context: BrowserContext, email: str, wanted: str) -> str:
    """The path of such a link in the newest mails to this address; empty where none has one."""
    mails = context.request.get(f"/outbox/?address={email}").text()
    for path in dict.fromkeys(re.findall(rf'href="(/outbox/{KEY}/)', mails)):
        text = context.request.get(f"{path}?tab=text").text()
        if found := re.search(rf"https?://[^/\s]+({wanted}[^\s<]+)", text):
            return found[1]
    return ""


def take(
    page: Page, shot: Shot, folder: Path, kind: str, widths: tuple[int, ...]
) -> Iterator[tuple[str, str]]:
    """Picture one page in full at each width, and tell what is wrong with it, if anything can be measured."""
    folder.mkdir(parents=True, exist_ok=True)
    if fault := go(page, shot):
        yield f"{folder.name}/{shot.name}", fault
        return
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        # As high as the page, so that what is fixed to the screen's edge covers nothing.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(900, height)})
        file = folder / f"{shot.name}-{width}-{kind}.png"
        page.screenshot(path=file, full_page=True)
        is_too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        yield str(file), "WIDER THAN THE SCREEN" if is_too_wide else ""


def go(page: Page, shot: Shot) -> str:
    """Bring the page to where it is to be pictured. Returns why it could not be, if so."""
    path = link_mailed(page.context, shot.path, shot.mailed) if shot.mailed else shot.path
    if not path:
        return NO_ROW
    answer = page.goto(path)
    if answer is not None and answer.status >= 500:
        return f"ANSWERED {answer.status}"
    for wanted in shot.first:
        links = page.locator("main a[href], #content a[href]")
        addresses = links.evaluate_all("rows => rows.map(row => row.getAttribute('href'))")
        found = next((one for one in addresses if re.search(wanted, one.split("?")[0])), None)
        if found is None:
            return NO_ROW
        page.goto(found)
    if shot.opens and page.locator(shot.opens).count():
        page.locator(shot.opens).first.evaluate("fold => { fold.open = true }")
    form = page.locator(shot.sends) if shot.sends else None
    if form and form.count():
        for name, value in shot.fills:
            fill(form.first.locator(f"[name='{name}']").first, value)
        with page.expect_navigation():
            form.first.evaluate(SEND if shot.fills else EMPTY_AND_SEND)
    return ""


def fill(field: Locator, value: str) -> None:
    """Fill a box, or choose from a menu."""
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


if __name__ == "__main__":
    main()
