"""Signing in with a code by mail: the pages look nobody up, so that not even their time tells who is known.

Every address gets a code of its own in the session, and a wish that a task answers. Who has the account is
asked only after the right code was typed, which nobody can have read but in that account's mail.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login_by_code import LoginCodeVerificationProcess
from allauth.account.models import Login
from allauth.account.stages import LoginByCodeStage, LoginStageController
from allauth.account.views import ConfirmLoginCodeView, RequestLoginCodeView
from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from portal import clock
from portal.models import InvitationRequest, User
from portal.password_requests import answer_without_account

CODE = InvitationRequest.Wish.CODE
ASK = "account_request_login_code"


def ask_code(*, email: str, code: str, now: datetime) -> None:
    """Keep the wish for a code. `now` is UTC. One query, whoever has the address."""
    InvitationRequest.objects.create(
        email=email, wish=CODE, code=code, language=translation.get_language(), created_at=now
    )


def answer_code_requests(*, now: datetime) -> int:
    """Mail each code that was asked for; at an address without an account say so, once. `now` is UTC.

    Returns how many requests there were. A request is taken before it is answered, and its code with it.
    """
    asked = InvitationRequest.objects.filter(wish=CODE)
    waiting = list(asked.values_list("pk", "email", "code", "language"))
    strangers: dict[str, str] = {}
    for pk, email, code, language in waiting:
        if not asked.filter(pk=pk).delete()[0]:
            continue
        if User.objects.come_in(email):
            with translation.override(language):
                get_adapter().send_mail("account/email/login_code", email, {"code": code})
        else:
            strangers[email] = language
    for email, language in strangers.items():
        with translation.override(language):
            answer_without_account(email, now)
    return len(waiting)


class LaterCode(LoginCodeVerificationProcess):
    """allauth's way through a sign-in by code, with the account looked up at its end and not at its beginning."""

    @classmethod
    def begin(cls, request: HttpRequest, email: str) -> None:
        """Send whoever asked to the page for the code. Two queries: the wish, and the session."""
        login = Login(user=None, email=email)
        login.state["stages"] = {"current": LoginByCodeStage.key}
        stage = LoginByCodeStage(LoginStageController(request, login), request, login)
        stage.state.update(cls.initial_state(user=None, email=email), initiated_by_user=True)
        process = cls(stage=stage)
        process.send()
        process.persist()

    @classmethod
    def resume(cls, stage: LoginByCodeStage) -> LaterCode | None:
        """The way as the session holds it; None once the code is too old."""
        found: LaterCode | None = cls(stage=stage).abort_if_invalid()
        return found

    def send(self, skip_enumeration_mails: bool = False) -> None:
        """Make a code, and ask for the mail with it."""
        ask_code(email=self.state["email"], code=self.generate_code(), now=clock.now())

    def resend(self) -> None:
        """Make another code in place of the last. Raises RateLimited."""
        if not ratelimit.consume(
            self.request, action="request_login_code", key=self.state["email"]
        ):
            raise ratelimit.RateLimited
        self.send()
        self.record_resend()
        self.persist()
        messages.success(self.request, _("A new code is on its way."))

    def find_user(self) -> User | None:
        """Whose address it is. For after the right code."""
        self._user = User.objects.come_in(self.state["email"])
        return self._user


class AskCode(RequestLoginCodeView):
    """The page that asks for the address."""

    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Begin, and go on to the page for the code: the same for every address."""
        LaterCode.begin(self.request, form.cleaned_data["email"])
        return redirect(self.get_success_url())


@method_decorator(login_stage_required(LoginByCodeStage.key, ASK), name="dispatch")
class TypeCode(ConfirmLoginCodeView):
    """The page that takes the code."""

    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Carry on with our way through; allauth's own would look for the account."""
        self.stage = request._login_stage  # type: ignore[attr-defined]  # set by the decorator
        self._process = LaterCode.resume(self.stage)
        if self._process is None:
            messages.info(request, _("This code is too old by now. Please ask for a new one."))
            return redirect(ASK)
        return super(ConfirmLoginCodeView, self).dispatch(request, *args, **kwargs)

    def _verify_form_valid(self, form: forms.Form) -> HttpResponse:
        if self._process is None or self._process.find_user() is None:
            form.add_error("code", get_adapter().error_messages["incorrect_code"])
            return self.form_invalid(form)
        return super()._verify_form_valid(form)
