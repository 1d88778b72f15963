"""Every address of the product; each has a row in the role matrix test."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from readerstudy.accounts import views
from readerstudy.conduct.people_views import invitation
from readerstudy.jobs import health
from readerstudy.jobs.metrics import metrics

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("language/", require_POST(set_language), name="language"),
    path("accounts/tokens/", include("readerstudy.accounts.token_urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/3rdparty/", include("allauth.socialaccount.urls")),
    path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path(settings.ADMINISTRATOR_URL, admin.site.urls),
    path("people/", include("readerstudy.accounts.urls")),
    path("invitations/<str:token>/", invitation, name="invitation"),
    path("cases/", include("readerstudy.cases.urls")),
    path("runs/", include("readerstudy.reconstructions.urls")),
    path("studies/", include("readerstudy.studies.urls")),
    path("studies/<uuid:pk>/", include("readerstudy.conduct.urls")),
    path("studies/<uuid:study>/results/", include("readerstudy.analytics.urls")),
    path("review/", include("readerstudy.analytics.review_urls")),
    path("api/", include("readerstudy.analytics.api_urls")),
    path("reading/", include("readerstudy.reading.urls")),
]

handler404 = "readerstudy.accounts.views.not_found"
handler403 = "readerstudy.accounts.views.forbidden"
handler500 = "readerstudy.accounts.views.server_error"
