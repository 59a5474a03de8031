"""Addresses of a patient's appointments, and of choosing whose pages to see."""

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
    path("patient/", views.switch_patient, name="switch_patient"),
]
