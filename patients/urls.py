"""Addresses of a patient's appointments, check-ins and exercises, and of choosing whose pages to see."""

from django.urls import path

from patients import views

app_name = "patients"
urlpatterns = [
    path("appointments/", views.appointments, name="appointments"),
    path(
        "appointments/<uuid:pk>/calendar.ics",
        views.appointment_calendar,
        name="appointment_calendar",
    ),
    path("appointments/calendar/", views.calendar_feed, name="calendar_feed"),
    path("appointments/<uuid:pk>/", views.appointment, name="appointment"),
    path("appointments/<uuid:pk>/confirm/", views.appointment_confirm, name="appointment_confirm"),
    path("appointments/<uuid:pk>/move/", views.appointment_ask_move, name="appointment_ask_move"),
    path(
        "appointments/wishes/<uuid:pk>/withdraw/",
        views.move_request_withdraw,
        name="move_request_withdraw",
    ),
    path("calendar/<str:token>/visits.ics", views.calendar_feed_file, name="calendar_feed_file"),
    path("check-in/", views.check_in, name="check_in"),
    path("check-in/history/", views.check_in_history, name="check_in_history"),
    path("check-in/<uuid:pk>/", views.check_in_result, name="check_in_result"),
    path("exercises/", views.exercises, name="exercises"),
    path("exercises/<uuid:pk>/", views.exercise, name="exercise"),
    path("exercises/<uuid:pk>/log/", views.exercise_log, name="exercise_log"),
    path("consents/", views.consents, name="consents"),
    path("consents/<uuid:pk>/<slug:key>/", views.consent, name="consent"),
    path("my-data/phone/", views.contact_phone, name="contact_phone"),
    path("my-data/email/", views.contact_email, name="contact_email"),
    path("email-change/<str:token>/", views.email_change, name="email_change"),
    path("my-guide/", views.my_guide, name="my_guide"),
    path("x-rays/", views.xrays, name="xrays"),
    path("smoke-free/", views.smoke_free, name="smoke_free"),
    path("smoke-free/plan/", views.smoke_free_plan, name="smoke_free_plan"),
    path("smoke-free/<uuid:pk>/slip/", views.slip_log, name="slip_log"),
    path("smoke-free/slips/<uuid:pk>/undo/", views.slip_withdraw, name="slip_withdraw"),
    path("who-can-see/", views.who_can_see, name="who_can_see"),
    path("who-can-see/<uuid:pk>/end/", views.ask_access_end, name="ask_access_end"),
    path("patient/", views.switch_patient, name="switch_patient"),
]
