"""All settings, read from the environment once. Nonsense stops the start with a sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from approvals.rules.shipped import SHIPPED
from console.reading import address, choice, database, mail, names, networks, number, retentions

BASE_DIR = Path(__file__).resolve().parent.parent
CUSTODY_HOME = Path(os.environ.get("CUSTODY_HOME") or BASE_DIR / "var")


CUSTODY_ENV = choice("CUSTODY_ENV", "development", ("production", "staging", "development", "demo"))
PRODUCTION = CUSTODY_ENV == "production"
DEBUG = choice("CUSTODY_DEBUG", "0", ("0", "1")) == "1"
SECRET_KEY = os.environ.get("CUSTODY_SECRET_KEY", "")
if len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("CUSTODY_SECRET_KEY: set at least 32 random characters. `make run` makes one.")
# Keys of before still open sessions and the secrets of second factors.
SECRET_KEY_FALLBACKS = [key for key in os.environ.get("CUSTODY_OLD_SECRET_KEYS", "").split(",") if key]
ALLOWED_HOSTS = [h for h in os.environ.get("CUSTODY_HOSTS", "localhost,127.0.0.1,[::1]").split(",") if h]

_LOGIN = choice("CUSTODY_DB_LOGIN", "app", ("app", "owner"))
DATABASES = {"default": database("DATABASE_OWNER_URL" if _LOGIN == "owner" else "DATABASE_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = address("REDIS_URL", ("redis", "rediss", "unix"))
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# Apps written by `manage.py adopt` live outside of the checkout and are listed in one text file.
CUSTODY_APPS_PATH = Path(os.environ.get("CUSTODY_APPS_PATH") or CUSTODY_HOME / "apps")


def _adopted_apps() -> list[str]:
    listed = CUSTODY_APPS_PATH / "INSTALLED"
    names = listed.read_text().split() if listed.is_file() else []
    names += [name for name in os.environ.get("CUSTODY_APPS", "").split(",") if name]
    if names and str(CUSTODY_APPS_PATH) not in sys.path:
        sys.path.append(str(CUSTODY_APPS_PATH))
    return list(dict.fromkeys(names))


INSTALLED_APPS = [
    "console",
    "approvals",
    "changes",
    "access",
    "audit",
    "shop",
    *_adopted_apps(),
    "console.site.CustodyAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
    "django_prometheus",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.middleware.problems.ProblemMiddleware",
    "console.middleware.latency.LatencyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "console.middleware.context.ContextMiddleware",
    "console.middleware.refusals.RefusalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "console.middleware.step_up.StepUpMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_TEMPLATE = "console/lockout.html"
CSRF_FAILURE_VIEW = "console.pages.errors.csrf_failure"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# Second factors and OpenID Connect (django-allauth); its pages are the ones of console/pages/security.py only.
ACCOUNT_ADAPTER = "console.login.adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_RATE_LIMITS = False  # axes counts, in the database
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
MFA_ADAPTER = "console.login.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "console.login.forms.SecondStepForm",
    "authenticate_webauthn": "console.login.forms.SecondPasskeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a passkey stands in for the password
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = CUSTODY_ENV in ("development", "demo")  # http://localhost
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "Custody"
MFA_RECOVERY_CODES_SHOW_ONCE = True
SOCIALACCOUNT_ADAPTER = "console.login.adapters.SocialAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_ONLY = False
CUSTODY_OIDC_ISSUER = address("CUSTODY_OIDC_ISSUER", ("https", "http")).rstrip("/")
CUSTODY_OIDC_NAME = os.environ.get("CUSTODY_OIDC_NAME") or "OpenID Connect"
CUSTODY_OIDC_LINK_BY_EMAIL = choice("CUSTODY_OIDC_LINK_BY_EMAIL", "1", ("0", "1")) == "1"
if PRODUCTION and CUSTODY_OIDC_ISSUER.startswith("http://"):
    raise ImproperlyConfigured("CUSTODY_OIDC_ISSUER: use an https:// address in production.")
if CUSTODY_OIDC_ISSUER and not (os.environ.get("CUSTODY_OIDC_CLIENT") and os.environ.get("CUSTODY_OIDC_SECRET")):
    raise ImproperlyConfigured("CUSTODY_OIDC_ISSUER needs CUSTODY_OIDC_CLIENT and CUSTODY_OIDC_SECRET beside it.")
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": CUSTODY_OIDC_NAME,
                "client_id": os.environ["CUSTODY_OIDC_CLIENT"],
                "secret": os.environ["CUSTODY_OIDC_SECRET"],
                "settings": {"server_url": CUSTODY_OIDC_ISSUER, "oauth_pkce_enabled": True},
            }
        ]
        if CUSTODY_OIDC_ISSUER
        else [],
    }
}

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
            ]
        },
    }
]
ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "console.formats"

STATIC_URL = "/static/"
STATIC_ROOT = CUSTODY_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# simple-history: the database writes the rows, Python only reads them.
SIMPLE_HISTORY_ENABLED = False
SIMPLE_HISTORY_DATE_INDEX = False

CELERY_BROKER_URL = address("BROKER_URL", ("redis", "rediss", "redis+socket", "amqp", "amqps"))
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
if CELERY_BROKER_URL.startswith("redis"):
    # The visibility timeout exceeds every task's time limit; see docs/decisions.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 180,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2,
        "max_retries": 1,
        "interval_start": 0,
        "interval_max": 0.2,
    }
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULE_FILENAME = str(CUSTODY_HOME / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "changes.sweep", "schedule": 3.0, "options": {"expires": 10}},
    "forget": {"task": "audit.forget_buckets", "schedule": 60.0, "options": {"expires": 60}},
    "expire": {"task": "approvals.expire", "schedule": 20.0, "options": {"expires": 60}},
    "start-due": {"task": "approvals.start_due", "schedule": 10.0, "options": {"expires": 20}},
    "remind": {"task": "approvals.remind", "schedule": 60.0, "options": {"expires": 60}},
    "deliver": {"task": "approvals.deliver", "schedule": 5.0, "options": {"expires": 10}},
    "tick": {"task": "audit.tick", "schedule": 30.0, "options": {"expires": 25}},
    "daily-snapshots": {"task": "changes.daily_snapshots", "schedule": 3600.0, "options": {"expires": 3000}},
}

CUSTODY_DEMO_PASSWORD = os.environ.get("CUSTODY_DEMO_PASSWORD", "")
CUSTODY_CHUNK_ROWS = number("CUSTODY_CHUNK_ROWS", 10_000, 1)
CUSTODY_LANES = number("CUSTODY_LANES", 2, 1)
# A run waits for others while one of these is exceeded (0 turns it off): see changes.throttling.
CUSTODY_THROTTLE_REPLICA_LAG = number("CUSTODY_THROTTLE_REPLICA_LAG", 15, 0)
CUSTODY_THROTTLE_LOCK_WAIT = number("CUSTODY_THROTTLE_LOCK_WAIT", 30, 0)
CUSTODY_THROTTLE_WAL = number("CUSTODY_THROTTLE_WAL", 256, 0)
CUSTODY_THROTTLE_MAINTENANCE = number("CUSTODY_THROTTLE_MAINTENANCE", 1, 0)
CUSTODY_THROTTLE_API = number("CUSTODY_THROTTLE_API", 1_000, 0)
CUSTODY_THROTTLE_PATIENCE = number("CUSTODY_THROTTLE_PATIENCE", 60, 0)
CUSTODY_LOCK_PATIENCE = number("CUSTODY_LOCK_PATIENCE", 600, 0)
CUSTODY_THROTTLES = ["console.latency.signal"]
# A change does not start when more of its frozen rows have changed: a share in percent, and at least so many rows.
CUSTODY_DRIFT_PERCENT = number("CUSTODY_DRIFT_PERCENT", 1, 0)
CUSTODY_DRIFT_ROWS = number("CUSTODY_DRIFT_ROWS", 10, 0)
# A change of more rows is refused unless the table declares allow_large or the policy allows it (0: never refused).
CUSTODY_LARGE_ROWS = number("CUSTODY_LARGE_ROWS", 10_000, 0)
# Seconds that one statement of a check may take.
CUSTODY_PREFLIGHT_SECONDS = number("CUSTODY_PREFLIGHT_SECONDS", 5, 1)
# A trial has gone wrong when more than this percentage of its rows was left alone.
CUSTODY_CANARY_SKIPPED = number("CUSTODY_CANARY_SKIPPED", 5, 0)
# Cold storage of removed rows; the files are the only copy besides the history. See docs/purging.md.
CUSTODY_ARCHIVE_DIR = Path(os.environ.get("CUSTODY_ARCHIVE_DIR") or CUSTODY_HOME / "archive")
CUSTODY_ARCHIVE_ROWS = number("CUSTODY_ARCHIVE_ROWS", 50_000, 1)
CUSTODY_RETENTION = retentions("CUSTODY_RETENTION", "standard=365d")
# An uploaded file of more lines or bytes is refused.
CUSTODY_IMPORT_ROWS = number("CUSTODY_IMPORT_ROWS", 100_000, 1)
CUSTODY_IMPORT_BYTES = number("CUSTODY_IMPORT_BYTES", 32 * 1024 * 1024, 1)
# Notices: see docs/notifications.md. Without a mail server there is no e-mail; without schemas no chat.
CUSTODY_URL = (os.environ.get("CUSTODY_URL") or f"http://localhost:{os.environ.get('PORT') or 8000}").rstrip("/")
CUSTODY_EMAIL = bool(os.environ.get("CUSTODY_EMAIL_URL"))
_MAIL = mail("CUSTODY_EMAIL_URL")
EMAIL_HOST, EMAIL_PORT = str(_MAIL.hostname or ""), _MAIL.port or (465 if _MAIL.scheme == "smtps" else 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_MAIL.username or ""), unquote(_MAIL.password or "")
EMAIL_USE_SSL, EMAIL_USE_TLS = _MAIL.scheme == "smtps", parse_qs(_MAIL.query).get("starttls") == ["1"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("CUSTODY_EMAIL_FROM") or "custody@localhost"
CUSTODY_CHAT_SCHEMAS = [
    one
    for one in os.environ.get("CUSTODY_CHAT_SCHEMAS", "slack,discord,tgram,gchat,dingtalk,feishu,wecombot").split(",")
    if one
]
CUSTODY_WEBHOOK_ALLOWED_NETWORKS = networks("CUSTODY_WEBHOOK_ALLOWED_NETWORKS")
CUSTODY_EXPIRY_NOTICE_HOURS = number("CUSTODY_EXPIRY_NOTICE_HOURS", 24, 1)
# Keys that stored secrets are sealed with: the first seals, all of them open. See foundation.sealing.
CUSTODY_SEALING_KEYS = [one for one in os.environ.get("CUSTODY_SEALING_KEYS", "").split(",") if one] or [SECRET_KEY]
if any(len(one) < 32 for one in CUSTODY_SEALING_KEYS):
    raise ImproperlyConfigured(
        "CUSTODY_SEALING_KEYS: each key needs at least 32 characters; commas stand between keys."
    )
# Hears of every act on a change, in its transaction: the engine knows nobody above it.
CUSTODY_LISTENER = "approvals.notices.runs.heard"
# The one door every ORM delete of an entity goes through.
CUSTODY_DELETE_DOOR = "approvals.doors.delete_selection"
# A fresh proof ("step-up"): which actions of the policy ask for one, how old it may be, what counts. See docs/signing-in.md.
CUSTODY_STEP_UP_ACTIONS = names("CUSTODY_STEP_UP_ACTIONS", "ticket.vote,exemption.agree,change.purge,account.secure")
CUSTODY_STEP_UP_SECONDS = number("CUSTODY_STEP_UP_SECONDS", 300, 1)
CUSTODY_STEP_UP_METHODS = names("CUSTODY_STEP_UP_METHODS", "password,code,passkey", ("password", "code", "passkey"))
# Kinds of a project's own operations, as import paths with commas: "shop.stamp.KIND".
# Who must agree to what, until a tenant agrees to rules of its own. See docs/rules.md.
CUSTODY_RULES = SHIPPED

CUSTODY_OPERATIONS = [name for name in os.environ.get("CUSTODY_OPERATIONS", "").split(",") if name]
# A project's own checks before a change, likewise: "shop.weekend.CHECK".
CUSTODY_PREFLIGHT = [name for name in os.environ.get("CUSTODY_PREFLIGHT", "").split(",") if name]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["console.api.bodies.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "console.api.describing.Description",
    "EXCEPTION_HANDLER": "console.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Custody",
    "DESCRIPTION": "Bulk changes that are asked for, agreed to, recorded and undone. Every refusal is problem+json.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Held": "changes.states.Held",
        "Canary": "changes.states.Canary",
        "ChangeState": "changes.states.State",
        "TicketState": "approvals.models.Ticket.State",
        "Operation": "changes.states.Operation",
        "EventOperation": "audit.models.Event.Operation",
        "Effect": "changes.states.Effect",
        "SkipReason": "changes.states.SkipReason",
        "Verdict": "changes.states.Verdict",
        "Decision": "approvals.models.Vote.Decision",
        "MessageKind": "approvals.notices.kinds.Kind",
        "DeliveryState": "approvals.notices.models.Delivery.State",
        "DeliveryChannel": "approvals.notices.kinds.Channel",
        "SnapshotKind": "audit.snapshots.models.Snapshot.Kind",
    },
}
