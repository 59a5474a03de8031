"""How `screenshots` gets into a demo: by its password, by a code out of its outbox, by a link that was mailed."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page
from shots import KEY

PASSWORD = "walk-with-stepwise"  # noqa: S105 - published on purpose, as portal/demo.py says
TRIES = 30


def sign_in(page: Page, email: str) -> None:
    """Sign in with the demo's password."""
    page.goto("/accounts/login/")
    page.locator("main form [type=email]").first.fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    _send(page)
    _wait_until_in(page)


def sign_in_by_code(page: Page, email: str) -> None:
    """Sign in with a code out of the demo's outbox. Raises RuntimeError where none comes."""
    last = _newest_mail(page.context, email)
    page.goto("/accounts/login/code/")
    page.locator("main form [type=email]").first.fill(email)
    _send(page)
    page.wait_for_url("**/confirm/**")
    page.locator("[name=code]").fill(_code_of(page, email, last))
    _send(page)
    _wait_until_in(page)


def link_mailed(context: BrowserContext, email: str, wanted: str) -> str:
    """The path of such a link in the newest mails to this address; empty where none has one."""
    for path in _mails(context, email):
        if found := re.search(rf"https?://[^/\s]+({wanted}[^\s<]+)", _text_of(context, path)):
            return found[1]
    return ""


def _send(page: Page) -> None:
    page.locator("main form [type=submit]").first.click()


def _wait_until_in(page: Page) -> None:
    page.wait_for_url(lambda address: "login" not in address)


def _mails(context: BrowserContext, email: str) -> list[str]:
    """The paths of the newest mails to this address in the outbox, newest first."""
    mails = context.request.get(f"/outbox/?address={email}").text()
    return list(dict.fromkeys(re.findall(rf'href="(/outbox/{KEY}/)', mails)))


def _newest_mail(context: BrowserContext, email: str) -> str:
    return next(iter(_mails(context, email)), "")


def _text_of(context: BrowserContext, path: str) -> str:
    return context.request.get(f"{path}?tab=text").text()


def _code_of(page: Page, email: str, last: str) -> str:
    """The code in the mail that follows the one at path `last`. Raises RuntimeError where none comes."""
    for _try in range(TRIES):
        path = _newest_mail(page.context, email)
        if path != last:
            text = _text_of(page.context, path)
            if found := re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", text, re.MULTILINE):
                return found[1]
        page.wait_for_timeout(1000)
    raise RuntimeError(f"No code came for {email}: does the demo's worker run?")
