"""Every address of the site: each app's own, the admin's, and signing in."""

from django.contrib import admin
from django.urls import include, path

from portal import session_views, views
from portal.login_codes import AskCode, TypeCode
from reminders.health import CHECKS
from reminders.metrics import metrics

portal_patterns = (
    [
        path("", views.home, name="home"),
        path("language/", views.choose_language, name="choose_language"),
        path("invitation/new/", views.ask_invitation, name="ask_invitation"),
        path("invitation/asked/", views.invitation_asked, name="invitation_asked"),
        path("invitation/<str:token>/", views.accept_invitation, name="accept_invitation"),
        path("offline/", views.offline, name="offline"),
        path("service-worker.js", views.service_worker, name="service_worker"),
        path("session/stay/", session_views.stay, name="stay"),
        path("session/end/", session_views.end_session, name="end_session"),
        path("session/unsent/", session_views.drop_unsent, name="drop_unsent"),
        path("outbox/", views.outbox, name="outbox"),
        path("outbox/<uuid:pk>/", views.outbox_mail, name="outbox_mail"),
        path("outbox/<uuid:pk>/part/<int:number>/", views.outbox_part, name="outbox_part"),
        path("health/live", views.health_live, name="health_live"),
        path("health/ready", views.health_ready, {"further": CHECKS}, name="health_ready"),
    ],
    "portal",
)

urlpatterns = [
    path("", include(portal_patterns)),
    path("", include("procedures.urls")),
    path("", include("patients.urls")),
    path("", include("reminders.urls")),
    path("admin/", admin.site.urls),
    # In place of allauth's own two pages, which look the address up.
    path("accounts/login/code/", AskCode.as_view(), name="account_request_login_code"),
    path("accounts/login/code/confirm/", TypeCode.as_view(), name="account_confirm_login_code"),
    # In place of the page on which allauth lets people change their address at one end alone.
    path("accounts/email/", session_views.own_address, name="account_email"),
    path("accounts/", include("allauth.urls")),
    path("metrics", metrics, name="metrics"),
    # What mail providers report about bounces; each call must bring the secret (settings.ANYMAIL).
    path("anymail/", include("anymail.urls")),
]

handler400 = "portal.views.bad_request"
handler403 = "portal.views.forbidden"
handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"
