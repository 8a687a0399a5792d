"""The smallest Django project dj-stripe runs in, as its installation guide describes one; told by the environment."""

import os
from urllib.parse import parse_qs, urlsplit

_DATABASE = urlsplit(os.environ["DATABASE_URL"])

SECRET_KEY = "only for a benchmark"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djstripe"]
USE_TZ = True
SILENCED_SYSTEM_CHECKS = ["djstripe.W002"]
LOGGING_CONFIG = None
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _DATABASE.path.lstrip("/"),
        "USER": _DATABASE.username,
        "HOST": parse_qs(_DATABASE.query)["host"][0],
        "CONN_MAX_AGE": None,
    }
}

STRIPE_API_HOST = os.environ["STRIPE_BASE"]
STRIPE_TEST_SECRET_KEY = os.environ["STRIPE_API_KEY"]
STRIPE_LIVE_MODE = False
STRIPE_API_VERSION = os.environ["STRIPE_API_VERSION"]
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
