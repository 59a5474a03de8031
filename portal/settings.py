"""Settings of the whole project, read from the environment. Every variable is listed in .env.example.

Safe by default: without STEPWISE_DEMO the deployment is a real one, and what it cannot do
without must be set; a missing variable is named, with what to put there.
"""

import ipaddress
import secrets
import sqlite3
from datetime import timedelta
from importlib.util import find_spec
from os import environ as process_environment
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal.local_state import bundled_redis_socket, kept_secret

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
# A value in the process environment wins over the same one in the file.
environ.Env.read_env(process_environment.get("STEPWISE_ENV_FILE", str(BASE_DIR / ".env")))


def required(name: str, fix: str) -> str:
    """Return a variable that has no safe default. Raises ImproperlyConfigured with the fix."""
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {fix}")
    return str(value)


def whole_number(name: str, default: int) -> int:
    """Return a variable that counts something. Raises ImproperlyConfigured for anything else."""
    value = env.str(name, default=str(default))
    if not value.isdecimal():
        raise ImproperlyConfigured(
            f"{name} is {value!r}. It must be a whole number, such as {default}."
        )
    return int(value)


# --- What kind of deployment this is ---------------------------------------------------------

# The demo clinic: invented patients, a clock that can be moved, mail kept in a local outbox.
STEPWISE_DEMO = env.bool("STEPWISE_DEMO", default=False)
# Never on, not in the demo either: a page with settings and stack frames is no page for a clinic.
DEBUG = False
# Everything the program writes: SQLite's file, collected static files, the demo's secret key.
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).absolute()
PORT = whole_number("PORT", 8000)
# Loopback unless said otherwise: what faces the network is a reverse proxy with TLS.
BIND_ADDRESS = env.str("BIND_ADDRESS", default="127.0.0.1")
WEB_PROCESSES = whole_number("WEB_PROCESSES", 2)
WORKER_PROCESSES = whole_number("WORKER_PROCESSES", 2)

# Absolute links in mails start with this; no request is at hand when a mail is made.
if STEPWISE_DEMO:
    BASE_URL = env.str("BASE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
else:
    BASE_URL = required(
        "BASE_URL", "Set it to the address patients use, for example https://portal.clinic.example."
    ).rstrip("/")
_base = urlsplit(BASE_URL)
if _base.scheme not in {"http", "https"} or not _base.hostname:
    raise ImproperlyConfigured(
        f"BASE_URL is {BASE_URL!r}. It must start with https:// and name a host."
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# Plain HTTP is for one's own machine only; anything else gets secure cookies and HSTS.
USES_HTTPS = not (_base.scheme == "http" and is_loopback(_base.hostname))

if STEPWISE_DEMO:
    SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret(VAR_DIR)
else:
    SECRET_KEY = required(
        "SECRET_KEY",
        "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(64))'",
    )

_own_hosts = [_base.hostname] if USES_HTTPS else [_base.hostname, "127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=_own_hosts)
CSRF_TRUSTED_ORIGINS = [BASE_URL]

# --- Applications ----------------------------------------------------------------------------

INSTALLED_APPS = [
    # Before the admin, whose templates it replaces.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    # Our own site, with its own rights, in place of Django's.
    "portal.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_htmx",
    "csp",
    "anymail",
    "portal",
    "procedures",
    "patients",
    "reminders",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    # Our own; within the content policy's, so that a page can ask for another one.
    "portal.middleware.Headers",
    "portal.middleware.SessionLimits",
    "portal.middleware.SecondFactor",
    "portal.middleware.UnsentForms",
    "portal.middleware.Reader",
    # Innermost: what a view noted is written before anything else sees the answer.
    "portal.middleware.ReadAudit",
    "patients.middleware.QuietRecord",
    "patients.middleware.DeniedAttempts",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        # Our own pages, without their indentation.
                        "portal.template_loader.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            # Texts without variables are looked up once for each language.
            "libraries": {"i18n": "portal.templatetags.phrases"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.frame",
            ],
            # Days and times in the order and the words of the reader's language; addresses looked up once.
            "builtins": ["portal.templatetags.dates", "portal.templatetags.links"],
        },
    },
]
# Plain fields without Django's two templates for each option of a choice.
FORM_RENDERER = "portal.widgets.QuickRenderer"
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
CRISPY_FAIL_SILENTLY = False
# The staff admin. A dotted name is a function that unfold calls with the request.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Stepwise",
    "SITE_HEADER": "Stepwise",
    "SITE_SYMBOL": "steps",
    "SITE_URL": "/admin/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "ENVIRONMENT": "portal.navigation.environment",
    "STYLES": ["portal.navigation.style_sheet"],
    "SITE_FAVICONS": [{"rel": "icon", "href": "portal.navigation.symbol", "type": "image/svg+xml"}],
    "GLOBAL_CALLBACK": "portal.navigation.on_every_page",
    "DASHBOARD_CALLBACK": "reminders.dashboard.today",
    "SIDEBAR": {"navigation": "portal.navigation.sidebar"},
    # The damson of the patients' pages, in unfold's steps; 500 is the one that dark pages write with.
    "COLORS": {
        "primary": {
            "50": "#faf5f9",
            "100": "#f4e7f1",
            "200": "#e8cfe2",
            "300": "#dcb4d2",
            "400": "#d39ac6",
            "500": "#cf8fc1",
            "600": "#7d3872",
            "700": "#6a2b62",
            "800": "#541f4d",
            "900": "#431a3d",
            "950": "#2a0e26",
        },
    },
}

# --- Database --------------------------------------------------------------------------------

# Before 3.51.3 two connections that write and checkpoint together can corrupt a WAL database.
SQLITE_WAL_IS_SAFE = sqlite3.sqlite_version_info >= (3, 51, 3)


def sqlite_options() -> dict[str, Any]:
    """Return what SQLite needs to serve several processes: who waits, and which journal."""
    journal = "WAL" if SQLITE_WAL_IS_SAFE else "TRUNCATE"
    return {
        # Take the write lock at the start; upgrading a read lock fails at once, without waiting.
        "transaction_mode": "IMMEDIATE",
        # Seconds to wait for another process's write.
        "timeout": 30,
        "init_command": f"PRAGMA journal_mode={journal};PRAGMA foreign_keys=ON;",
    }


def database() -> dict[str, Any]:
    """Return the database that DATABASE_URL names. Raises ImproperlyConfigured for a wrong one."""
    fix = "Use postgres://user:password@host:5432/name, or sqlite:////absolute/path."
    url = env.str("DATABASE_URL", default="")
    if not url:
        parsed: dict[str, Any] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR_DIR / "stepwise.sqlite3",
        }
    else:
        if urlsplit(url).scheme not in {"postgres", "postgresql", "sqlite"}:
            raise ImproperlyConfigured(f"DATABASE_URL has a scheme that is not known. {fix}")
        try:
            parsed = dict(env.db_url_config(url))
        except ValueError:
            raise ImproperlyConfigured(f"DATABASE_URL cannot be read. {fix}") from None
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        return parsed | {"OPTIONS": parsed.get("OPTIONS", {}) | sqlite_options()}
    if not parsed["NAME"]:
        raise ImproperlyConfigured(f"DATABASE_URL names no database. {fix}")
    # Threads keep their connection, and ask whether it is alive before a request uses it.
    return parsed | {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5} | parsed.get("OPTIONS", {}),
    }


DATABASES = {"default": database()}
# In the database and not in Redis: sign-in limits must hold, and hold in every process,
# while the broker is away, and nothing about a person may lie in Redis.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "portal_cache",
    }
}

# --- Broker and worker (docs/decisions/0005) -------------------------------------------------

# Without REDIS_URL, `manage.py run` starts the bundled Redis on this socket.
REDIS_URL = env.str("REDIS_URL", default="")
USES_BUNDLED_REDIS = not REDIS_URL
BUNDLED_REDIS_SOCKET = bundled_redis_socket(VAR_DIR)
if USES_BUNDLED_REDIS:
    REDIS_URL = f"unix://{BUNDLED_REDIS_SOCKET}"
if urlsplit(REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
    raise ImproperlyConfigured("REDIS_URL has a scheme that is not known. Use redis://host:6379/0.")

# Kombu has its own word for a Unix socket.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A dead connection is noticed within seconds; with the defaults a half-open one hangs a
    # worker for good, and publishing with it.
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 5,
    # Longer than the hard time limit below, so that no task runs twice at once.
    "visibility_timeout": 600,
    # What a killed worker held is looked for every 10 seconds, not every 100.
    "unacked_restore_throttle": 1,
}
# Publishing gives up: the row in the database is what counts, and the next tick finds it.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Never stop trying: a worker that gave up would be a clinic without reminders.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "stepwise"
# Both are needed for a task to survive the death of the process that runs it.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Tasks after which a pool process is replaced, so that a slow leak never grows old.
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
# Seconds: the first raises inside the task, the second kills its process.
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_DB_REUSE_MAX = 100
CELERY_TIMEZONE = "UTC"
# A beat ticks while it holds a lock in the broker; a dead one's lock runs out after so many seconds.
CELERY_BEAT_SCHEDULER = "portal.beat:OneBeat"
BEAT_LOCK_SECONDS = 30
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")


def tick(task: str, seconds: int) -> dict[str, Any]:
    """Return one beat entry. A tick nobody took before the next is due is dropped, not piled up."""
    return {"task": task, "schedule": timedelta(seconds=seconds), "options": {"expires": seconds}}


CELERY_BEAT_SCHEDULE = {
    "plan": tick("reminders.tasks.plan", 15 if STEPWISE_DEMO else 60),
    "dispatch": tick("reminders.tasks.dispatch", 15 if STEPWISE_DEMO else 30),
    "recover": tick("reminders.tasks.recover", 60),
    "escalate": tick("patients.tasks.escalate", 60),
    "tell_of_access": tick("patients.tasks.tell_of_access", 60 * 60),
    # Often: somebody sits before a page that asks for the code in the mail.
    "answer_requests": tick("portal.tasks.answer_requests", 5),
    "sync_worklists": tick("patients.tasks.sync_worklists", 30 if STEPWISE_DEMO else 300),
    "check_balance": tick("reminders.tasks.check_balance", 15 * 60),
    "work_on_imports": tick("patients.tasks.work_on_imports", 3),
    "empty_imports": tick("patients.tasks.empty_imports", 24 * 60 * 60),
    "plan_for_adults": tick("patients.tasks.plan_for_adults", 24 * 60 * 60),
    "seal_audit": tick("portal.tasks.seal_audit", 15),
    "check_audit": tick("portal.tasks.check_audit", 30),
    "check_audit_daily": tick("portal.tasks.check_audit_daily", 24 * 60 * 60),
}

# Seconds that a worker may hold what it is sending; what a dead one held is taken back after that.
LEASE_SECONDS = 300

# --- Mail ------------------------------------------------------------------------------------


def mail() -> dict[str, Any]:
    """Return Django's EMAIL_* settings from EMAIL_URL. Raises ImproperlyConfigured for a wrong one."""
    fix = "Use smtp+tls://user:password@host:587, smtp://host:25, or outbox: to keep mail here."
    # A clinic that sends nothing without knowing it is the worst failure of all: no default there.
    url = env.str("EMAIL_URL", default="outbox:" if STEPWISE_DEMO else "") or required(
        "EMAIL_URL", fix
    )
    if url == "outbox:":
        return {"EMAIL_BACKEND": "portal.outbox.OutboxBackend"}
    if urlsplit(url).scheme not in {"smtp", "smtps", "smtp+tls", "smtp+ssl"}:
        raise ImproperlyConfigured(f"EMAIL_URL has a scheme that is not known. {fix}")
    try:
        parsed = env.email_url_config(url)
    except ValueError:
        raise ImproperlyConfigured(f"EMAIL_URL cannot be read. {fix}") from None
    if not parsed["EMAIL_HOST"]:
        raise ImproperlyConfigured(f"EMAIL_URL names no host. {fix}")
    del parsed["EMAIL_FILE_PATH"]
    return {name: value for name, value in parsed.items() if value is not None}


# Names are written out so that both a reader and the type checker find them.
_mail = mail()
# A provider's own backend, for example anymail.backends.postmark.EmailBackend.
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default=_mail["EMAIL_BACKEND"])
EMAIL_HOST = _mail.get("EMAIL_HOST", "localhost")
EMAIL_PORT = _mail.get("EMAIL_PORT", 25)
EMAIL_HOST_USER = _mail.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _mail.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _mail.get("EMAIL_USE_SSL", False)
# Seconds; without it one silent server would hold a worker until its time limit.
EMAIL_TIMEOUT = 10
# Mails a second that may leave, over all workers: in all, and to one recipient domain. 0: no limit.
MAIL_PER_SECOND = whole_number("MAIL_PER_SECOND", 0)
MAIL_PER_SECOND_PER_DOMAIN = whole_number("MAIL_PER_SECOND_PER_DOMAIN", 0)
# The provider's settings as a JSON object, for example {"POSTMARK_SERVER_TOKEN": "..."}.
ANYMAIL = env.json("ANYMAIL", default={})
# Providers' webhooks must bring this, as "user:password". Unset, it is one that nobody knows.
ANYMAIL.setdefault("WEBHOOK_SECRET", f"nobody:{secrets.token_urlsafe(32)}")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"Stepwise <no-reply@{_base.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Signing in ------------------------------------------------------------------------------

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# NIST SP 800-63B, section 3.1.1: 15 characters where a password stands alone, and no rule about signs.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 15},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "portal.passwords.NotAPattern"},
]

# Staff see no patient data without a second factor; the demo lets them in with a password.
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=not STEPWISE_DEMO)
# Reverse proxies in front of this server; as many forwarded addresses are believed, no more.
TRUSTED_PROXIES = whole_number("TRUSTED_PROXIES", 0)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES

ACCOUNT_ADAPTER = "portal.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "reset_password": "portal.account_forms.AskPasswordForm",
    "request_login_code": "portal.account_forms.AskCodeForm",
    "change_password": "portal.account_forms.NewPasswordForm",
    "reset_password_from_key": "portal.account_forms.MailedPasswordForm",
    "set_password": "portal.account_forms.FirstPasswordForm",
}
# Beside allauth's own limits on every way in: asking for a new invitation.
ACCOUNT_RATE_LIMITS = {"ask_invitation": "20/h/ip,3/h/key"}
# Somebody learns by mail that their way to sign in was changed.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# People come by invitation, sent to the address itself, which proves it.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
# Seconds that a code is good for: time to find the mail, and within what NIST 800-63B allows.
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60
# How often another code may be had without beginning anew.
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = 2
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
MFA_ADAPTER = "portal.adapters.MFAAdapter"
MFA_FORMS = {
    "add_webauthn": "portal.account_forms.AddPasskeyForm",
    "edit_webauthn": "portal.account_forms.RenamePasskeyForm",
}
# For the same reason: allauth notes an address as unproven as soon as somebody looks at its page for it.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Stepwise"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not USES_HTTPS

# --- Sessions, cookies, headers --------------------------------------------------------------

# Seconds: 12 hours in all, whatever happens in between.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# A browser takes a __Host- cookie only from this host, over HTTPS, for the whole site.
_prefix = "__Host-" if USES_HTTPS else ""
SESSION_COOKIE_NAME = f"{_prefix}session"
CSRF_COOKIE_NAME = f"{_prefix}csrf"
LANGUAGE_COOKIE_NAME = f"{_prefix}language"
# Who has no login yet chose a language for this browser, and finds it again.
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = USES_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"

SECURE_SSL_REDIRECT = USES_HTTPS
# A load balancer asks for health inside the network, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if USES_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = USES_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
SILENCED_SYSTEM_CHECKS = [
    # Preloading binds the clinic's whole domain in every browser; that is not ours to decide.
    "security.W021",
    # The address is unique whatever its case, by the constraint user_email_unique.
    "auth.W004",
    # Our `i18n` stands in the place of Django's on purpose (portal.templatetags.phrases).
    "templates.W003",
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # Bootstrap draws its arrows and ticks as data: images inside its style sheet.
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-src": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}

# --- Language and time -----------------------------------------------------------------------

# Our own ways of writing days and times, where Django writes them by itself.
FORMAT_MODULE_PATH = "portal.formats"
LANGUAGE_CODE = "en-gb"
LANGUAGES = [
    ("en-gb", _("British English")),
    ("en-us", _("American English")),
    ("es", _("Spanish")),
    ("ar", _("Arabic")),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
# What is stored and compared is UTC; what a person reads is the clinic's or the reader's zone.
TIME_ZONE = "UTC"
USE_TZ = True

# --- Static files ----------------------------------------------------------------------------


def bootstrap_files() -> Path:
    """Return the folder of Bootstrap's css/ and js/. Raises ImproperlyConfigured if it is missing."""
    # Found without being imported: the package's own import needs pkg_resources.
    spec = find_spec("xstatic.pkg.bootstrap")
    if spec is None or spec.origin is None:
        raise ImproperlyConfigured(
            "Bootstrap's package is missing: run `make install`, then try again."
        )
    return Path(spec.origin).parent / "data"


STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [("bootstrap", str(bootstrap_files()))]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = VAR_DIR / "media"

# --- Metrics ---------------------------------------------------------------------------------

# What Prometheus must bring to read /metrics. Unset, a site with TLS shows none.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Logs ------------------------------------------------------------------------------------

# To stderr, one JSON object a line; exceptions without their text, which may name a person.
# The demo's ticks, every few seconds, would hide its address and logins on the terminal.
LOG_LEVEL = env.str("LOG_LEVEL", default="WARNING" if STEPWISE_DEMO else "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
    raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "portal.log_format.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handlers would print in another form, and mail the administrators.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # A path may hold a one-time link, so refusals (4xx) are not logged, errors (5xx) are.
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
        # Statements hold what people typed.
        "django.db.backends": {"level": "WARNING"},
    },
}
