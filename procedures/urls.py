"""The guide's addresses. The guide is the same for everyone, so they carry words and not keys of rows."""

from django.urls import path

from procedures import views

app_name = "procedures"

urlpatterns = [
    path("guide/", views.guide_list, name="guide_list"),
    path("guide/<slug:procedure>/", views.guide, name="guide"),
    path("guide/<slug:procedure>/print/", views.guide_print, name="guide_print"),
    path("guide/<slug:procedure>/pdf/", views.guide_pdf, name="guide_pdf"),
    path("guide/<slug:procedure>/<slug:page>/", views.guide_page, name="guide_page"),
]
