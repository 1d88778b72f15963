"""Django's settings; whatever an installation may change comes from ``configuration`` (environment variables)."""

from __future__ import annotations

import sys
from pathlib import Path

from csp.constants import NONE, SELF

from readerstudy import configuration, logs

CONFIGURATION = configuration.read()
BASE_DIR = configuration.ROOT
DATA_DIR: Path = CONFIGURATION.data
PIXELS_DIR: Path = CONFIGURATION.pixels
PIXELS_BUCKET = CONFIGURATION.bucket  # where it is set, PIXELS_DIR is not used
PIXEL_CACHE_DIR: Path = CONFIGURATION.pixel_cache
PIXEL_CACHE_BYTES = CONFIGURATION.pixel_cache_mib * 1024**2
DEVICE = CONFIGURATION.device
DEMO = CONFIGURATION.demo
DEBUG = CONFIGURATION.debug
SECRET_KEY = CONFIGURATION.secret_key
ALLOWED_HOSTS = CONFIGURATION.allowed_hosts
CSRF_TRUSTED_ORIGINS = CONFIGURATION.trusted_origins
TESTING = "pytest" in sys.modules

INSTALLED_APPS = [
    "readerstudy.accounts",
    "readerstudy.audit",
    "readerstudy.jobs",
    "readerstudy.cases",
    "readerstudy.reconstructions",
    "readerstudy.studies",
    "readerstudy.schedules",
    "readerstudy.reading",
    "readerstudy.conduct",
    "readerstudy.analytics",
    "readerstudy.operations",
    "readerstudy.demo",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
    "csp",
]

MIDDLEWARE = [
    "readerstudy.accounts.incoming.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "readerstudy.accounts.language.ReaderLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "readerstudy.accounts.sessions.SessionLimitMiddleware",
    "readerstudy.accounts.second_factor.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "readerstudy.urls"
WSGI_APPLICATION = "readerstudy.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "readerstudy.accounts.context.installation",
            ]
        },
    }
]

DATABASES = {"default": configuration.database(CONFIGURATION.database_url, DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache"
        if TESTING
        else "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
SESSION_IDLE_SECONDS = CONFIGURATION.idle_minutes * 60
SESSION_LONGEST_SECONDS = SESSION_COOKIE_AGE = 8 * 3600
# Fragments that pages fetch by themselves: an open page alone is no sign of a person.
SESSION_IDLE_VIEWS = ["reconstructions:live", "reconstructions:rows", "conduct:monitor", "analytics:status"]
REQUIRE_MFA = CONFIGURATION.require_mfa and not TESTING
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "readerstudy.accounts.adapter.AccountAdapter"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "manage_email": "10/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES = CONFIGURATION.trusted_proxies
SOCIALACCOUNT_ADAPTER = "readerstudy.accounts.single_sign_on.SingleSignOnAdapter"
SOCIALACCOUNT_PROVIDERS = configuration.oidc_providers(CONFIGURATION.oidc)
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# A link, since the policy for forms would stop the provider's own redirects; connecting by it is refused.
SOCIALACCOUNT_LOGIN_ON_GET = True
MFA_ADAPTER = "readerstudy.accounts.adapter.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = False
MFA_WEBAUTHN_USER_VERIFICATION = "required"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = CONFIGURATION.https
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
if CONFIGURATION.https:
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    LANGUAGE_COOKIE_NAME = "__Host-language"
CSRF_FAILURE_VIEW = "readerstudy.accounts.views.csrf_failure"

SECURE_SSL_REDIRECT = CONFIGURATION.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIGURATION.trusted_proxies else None
SECURE_HSTS_SECONDS = 31_536_000 if CONFIGURATION.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = CONFIGURATION.https
# Preloading binds the whole domain for ever: its owner decides, not one installation.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Features that no page uses; passkeys and full screen stay with pages of this address.
PERMISSIONS_POLICY = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=(), fullscreen=(self), "
    "publickey-credentials-get=(self), publickey-credentials-create=(self)"
)
# Responses whose every header is fixed, so that none tells an arm: no request id, no further header.
FIXED_HEADERS_VIEWS = ["reading:frame", "reading:practice_frame"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "readerstudy" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT = CONFIGURATION.static
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "readerstudy.staticfiles.HashedStaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_NUMBER_FILES = 2000
UPLOADS_MAX_BYTES = CONFIGURATION.upload_gb * 1024**3
WHITENOISE_USE_FINDERS = DEBUG or TESTING

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "readerstudy.accounts.bearer.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["readerstudy.accounts.bearer.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "readerstudy.analytics.api_formats.problem",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Reader study",
    "DESCRIPTION": "Results of blinded reader studies for medical image reconstruction. "
    "Research use only, not for diagnosis.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "ENUM_NAME_OVERRIDES": {
        "StateEnum": "readerstudy.studies.models.Study.State",
        "RoleEnum": "readerstudy.studies.models.Arm.Role",
    },
}

QUEUES = ("cpu", "gpu")
JOB_HANDLERS = {
    "import": "readerstudy.cases.tasks.import_upload",
    "reconstruct": "readerstudy.reconstructions.tasks.reconstruct",
    "export": "readerstudy.reconstructions.exports.export",
    "measure": "readerstudy.reconstructions.importing.measure",
    "snapshot": "readerstudy.analytics.tasks.snapshot",
}
READY_CHECKS = ["readerstudy.cases.store.trouble"]  # what /readyz asks of rooms on its right
UPKEEP = ["readerstudy.cases.uploads.clean_up", "readerstudy.cases.scratch.clean_up"]  # what a worker does every hour
STUDY_CHECKS = ["readerstudy.analytics.verify.snapshot_holds"]  # what verify_study asks of rooms on its right
LOOK_CHECKS = ["readerstudy.studies.blinding.require_not_reading"]  # what cases ask before a person sees one unblinded
JOB_LEASE_SECONDS = 30
JOB_SECONDS_OF = {"import": 24 * 3600}  # kinds of jobs that may take longer than the ten minutes of the others
JOB_MAX_ATTEMPTS = 3
REAPER_SECONDS = 5
JOB_ALARM_SECONDS = CONFIGURATION.alarm_minutes * 60
FREE_DISK_BYTES = CONFIGURATION.free_gb * 1024**3
METRICS_TOKEN = CONFIGURATION.metrics_token

vars().update(configuration.email(CONFIGURATION.email_url, CONFIGURATION.log_format))
ADMINISTRATOR_URL = "admin/"

LOGGING = logs.configuration(CONFIGURATION.log_format, level="WARNING" if TESTING else "INFO", debug=DEBUG)
