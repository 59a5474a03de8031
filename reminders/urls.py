"""Addresses of what to do, what comes, what was sent and why, and of stopping mail."""

from django.urls import path

from reminders import data_views, settings_views, views

app_name = "reminders"
urlpatterns = [
    path("today/", views.today, name="today"),
    path("plan/", views.plan, name="plan"),
    path("plan/behind/", views.plan_behind, name="plan_behind"),
    path("my-data/", data_views.my_data, name="my_data"),
    path("my-data/download/<slug:form>/", data_views.my_data_file, name="my_data_file"),
    path("messages/", views.messages, name="messages"),
    path("messages/<uuid:pk>/", views.message, name="message"),
    path("messages/<uuid:pk>/html/", views.message_html, name="message_html"),
    path("why/<uuid:pk>/", views.why, name="why"),
    path("answer/<uuid:pk>/", views.answer, name="answer"),
    path("settings/reminders/", settings_views.reminder_settings, name="reminder_settings"),
    path("unsubscribe/<str:token>/", settings_views.unsubscribe, name="unsubscribe"),
    path("unsubscribe/<str:token>/more/", settings_views.mail_settings, name="mail_settings"),
]
