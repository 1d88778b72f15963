"""The product's settings with few apps, short leases and handlers that kill, for test_kill.py."""

from __future__ import annotations

from readerstudy.settings import *  # noqa: F403

INSTALLED_APPS = [
    "readerstudy.accounts",
    "readerstudy.audit",
    "readerstudy.jobs",
    "allauth.account",
    "allauth.mfa",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "allauth.account.middleware.AccountMiddleware"]
ROOT_URLCONF = "tests.faults.urls"
TEMPLATES = []
STATICFILES_DIRS = []
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
JOB_HANDLERS = {
    "test-sleep": "tests.faults.handlers.sleep",
    "test-poison": "tests.faults.handlers.poison",
    "test-deaf": "tests.faults.handlers.deaf",
}
UPKEEP = []
JOB_LEASE_SECONDS = 3
JOB_BACKOFF_SECONDS = 0.2
REAPER_SECONDS = 1
