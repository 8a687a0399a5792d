"""Settings: the environment and an optional ``.env`` file, read once at a door and handed down.

`STRIPE_API_KEY`, `DATABASE_URL`, `PORT`, `STRIPE_WEBHOOK_SECRET` and `STRIPE_API_BASE` are the names people
already know; everything else starts with `PAYMENT_KIT_`, and a name that starts so and is no setting is refused.
Secrets are `SecretStr`: their text appears in no repr, log or error.

Both the ``.env`` file and the state folder ``var`` belong to the project folder: the nearest folder upwards that
has one of them, so a notebook two folders down finds the same installation as the command line.
"""

import difflib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from payment_kit.errors import UsageProblem

STRIPE_API = "https://api.stripe.com"
PREFIX = "PAYMENT_KIT_"
_NOT_SETTINGS = {f"{PREFIX}{name}" for name in ("RUN_FOLDER", "DEMO_PARENT", "TEST_DATABASE_URL")}
"""What our own processes tell each other, and what the tests are told."""
_SERVICE_LINK = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP|SCTP)\w*)=.*|{PREFIX}PORT=\w+://.*")
"""What Kubernetes puts into every container beside a Service named payment-kit; it is nobody's setting."""
_SIGNING_SECRET = re.compile(r"(acct_[A-Za-z0-9]+=)?whsec_[^=]*")
Secrets = Annotated[tuple[SecretStr, ...], NoDecode]


def project_folder() -> Path:
    """The nearest folder upwards that holds a ``.env`` or our ``var``; else the current one."""
    here = Path.cwd()
    for folder in (here, *here.parents[:-1]):
        if (folder / ".env").is_file() or any((folder / "var").glob("postgres*")):
            return folder
    return here


class Settings(BaseSettings):
    """Everything an installation can be told. Unset means the documented default, never a guess."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    stripe_api_keys: Secrets = Field(
        (),
        validation_alias=AliasChoices("STRIPE_API_KEY"),
        description="Secret or restricted key; several, separated by commas, of one mode and one for each account: all "
        "are mirrored, the service acts with the first. Unset: the sandbox is the Stripe.",
    )
    stripe_api_base: str = Field(
        STRIPE_API, validation_alias=AliasChoices("STRIPE_API_BASE"), description="Where Stripe's API is."
    )
    stripe_webhook_secrets: Secrets = Field(
        (),
        validation_alias=AliasChoices("STRIPE_WEBHOOK_SECRET"),
        description="Signing secret of the webhook endpoint; several, separated by commas, while one is rotated. One "
        "that belongs to another key than the first is written `acct_…=whsec_…`.",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="PostgreSQL 15 or newer. Unset: a private one under PAYMENT_KIT_HOME.",
    )
    port: int = Field(8080, ge=0, le=65535, validation_alias=AliasChoices("PORT"), description="Port of the service.")

    home: Path = Field(
        default_factory=lambda: project_folder() / "var",
        description="State of the embedded PostgreSQL and sandbox, and the results of runs. Default: var.",
    )
    postgres_bin: str | None = Field(
        None, description="Folder of the PostgreSQL programs for the embedded server, or `wheel` for the packaged one."
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on; outside this machine TLS and authentication are required."
    )
    authentication: Literal["required", "off"] | None = Field(
        None,
        description="Whether callers of the service must say who they are. Unset: off on loopback with the sandbox or "
        "a test key, required everywhere else, where off is refused.",
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate and its chain; read again when it changes."
    )
    tls_key: Path | None = Field(None, description="PEM file with its private key.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file with a CA: then every caller of the service has to show a certificate of it."
    )
    jwt_issuer: str | None = Field(None, description="Whose tokens are accepted beside keys: their claim `iss`.")
    jwt_audience: str | None = Field(None, description="Their claim `aud`.")
    jwt_keys: Path | None = Field(
        None, description="JWKS, or PEM file with the issuer's public keys; read again when it changes."
    )
    webhook_port: int = Field(8081, ge=0, le=65535, description="Port of the HTTP webhook receiver.")
    share_ports: bool = Field(
        False,
        description="Let several processes serve at the same ports; the kernel spreads the connections among them.",
    )
    sandbox_port: int = Field(12111, ge=0, le=65535, description="Port of `payment-kit sandbox`.")
    accounts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias=AliasChoices("PAYMENT_KIT_ACCOUNT"),
        description="The account the key must belong to, a guard against mix-ups; of several keys theirs, in their "
        "order, separated by commas.",
    )
    database_pool_max: int = Field(16, ge=2, le=200, description="Connections of one process at most.")
    stripe_timeout_seconds: float = Field(30, gt=0, le=80, description="Longest wait for one answer of Stripe.")
    stripe_retries: int = Field(4, ge=0, le=10, description="Tries after the first, with the same idempotency key.")
    stripe_requests_per_second: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="Requests to Stripe for one account at most. Unset: 100 with a live key, 25 with a test key; "
        "the sandbox has no limit.",
    )
    stripe_endpoint_requests_per_second: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="The same for each endpoint of an account. Unset: 25; the sandbox has no limit.",
    )
    webhook_body_bytes_max: int = Field(
        1 << 20, ge=1 << 10, le=16 << 20, description="Longest webhook body that is read."
    )
    webhook_tolerance_seconds: int = Field(
        300, ge=1, le=3600, description="How far a signature's time may be from this machine's, either way."
    )
    catch_up_interval_seconds: float = Field(
        300, gt=0, description="How often `serve` compares with Stripe's events list and pulls settlement."
    )

    @field_validator("stripe_webhook_secrets", "stripe_api_keys", "accounts", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("stripe_webhook_secrets")
    @classmethod
    def _looks_like_a_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_SIGNING_SECRET.fullmatch(secret.get_secret_value()) for secret in value):
            raise ValueError("a webhook signing secret starts with whsec_, or is written acct_…=whsec_…")
        return value

    @field_validator("stripe_api_keys", mode="before")
    @classmethod
    def _is_not_empty(cls, value: object) -> object:
        if isinstance(value, str) and not value.replace(",", "").strip():
            raise ValueError("it is set but empty; unset it to use the sandbox")
        return value

    @field_validator("stripe_api_keys")
    @classmethod
    def _are_secret_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        keys = [key.get_secret_value() for key in value]
        if not all(key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")) for key in keys):
            raise ValueError("a secret key starts with sk_test_, sk_live_, rk_test_ or rk_live_")
        if len({_is_live(key) for key in keys}) > 1:
            raise ValueError("keys of test and of live mode are never used together")
        if len(set(keys)) < len(keys):
            raise ValueError("it holds the same key twice")
        return value

    @field_validator("accounts")
    @classmethod
    def _are_accounts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch("acct_[A-Za-z0-9]+", account) for account in value):
            raise ValueError("an account's id starts with acct_")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_a_postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value():
            raise ValueError("it is set but empty; unset it to use the embedded PostgreSQL")
        if value is not None and urlsplit(value.get_secret_value()).scheme not in ("postgres", "postgresql"):
            raise ValueError("it must look like postgresql://user:password@host:5432/database")
        return value

    @field_validator("stripe_api_base")
    @classmethod
    def _is_an_http_url(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("it must be an http(s) URL")
        if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("plain http is allowed to this machine only")
        return value.rstrip("/")

    @property
    def stripe_api_key(self) -> SecretStr | None:
        """The first key, with which the service acts; None: the sandbox is the Stripe."""
        return self.stripe_api_keys[0] if self.stripe_api_keys else None

    @property
    def account(self) -> str | None:
        """The account the first key must belong to, if one was named."""
        return self.accounts[0] if self.accounts else None

    @property
    def signing_secrets(self) -> Mapping[str, tuple[SecretStr, ...]]:
        """The signing secrets by the account they were written for; "" is the first key's."""
        found: dict[str, tuple[SecretStr, ...]] = {}
        for written in self.stripe_webhook_secrets:
            account, _, secret = written.get_secret_value().rpartition("=")
            found[account] = (*found.get(account, ()), SecretStr(secret))
        return found

    @property
    def livemode(self) -> bool:
        """True with a live key; without a key the sandbox is the Stripe, which is test mode."""
        return self.stripe_api_key is not None and _is_live(self.stripe_api_key.get_secret_value())


def _is_live(key: str) -> bool:
    return "_live_" in key[:8]


def load(**overrides: object) -> Settings:
    """The settings of this process; raises `UsageProblem` SETTING_INVALID naming the setting, never its value."""
    env_file = project_folder() / ".env"
    _refuse_unknown({**dotenv_values(env_file, interpolate=False), **os.environ})
    try:
        given = {_argument(name): value for name, value in overrides.items()}
        settings = Settings(_env_file=env_file, **given)  # type: ignore[arg-type, call-arg]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise UsageProblem("SETTING_INVALID", f"{_name(first['loc'])}: {_reason(first['msg'])}.") from None
    if settings.livemode and settings.database_url is None:
        raise UsageProblem("LIVE_MODE_NEEDS_DATABASE", "STRIPE_API_KEY is a live key and DATABASE_URL is not set.")
    if settings.accounts and settings.stripe_api_keys and len(settings.accounts) != len(settings.stripe_api_keys):
        raise UsageProblem(
            "SETTING_INVALID", "PAYMENT_KIT_ACCOUNT: name one account for each key of STRIPE_API_KEY, in their order."
        )
    _refuse_halves(settings)
    if settings.stripe_api_base != STRIPE_API and settings.livemode:
        raise UsageProblem("SETTING_INVALID", "STRIPE_API_BASE: a live key is only ever sent to api.stripe.com.")
    return settings


def _refuse_halves(settings: Settings) -> None:
    tls = [settings.tls_certificate, settings.tls_key]
    if any(tls) != all(tls) or (settings.tls_client_ca and not all(tls)):
        what = "PAYMENT_KIT_TLS_CERTIFICATE and PAYMENT_KIT_TLS_KEY are set together, and a client CA only with them."
        raise UsageProblem("SETTING_INVALID", what)
    jwt = [settings.jwt_issuer, settings.jwt_audience, settings.jwt_keys]
    if any(jwt) != all(jwt):
        what = "PAYMENT_KIT_JWT_ISSUER, PAYMENT_KIT_JWT_AUDIENCE and PAYMENT_KIT_JWT_KEYS are set together."
        raise UsageProblem("SETTING_INVALID", what)


def _argument(name: str) -> str:
    """How a field is given by the program; were its own name accepted too, so would be PAYMENT_KIT_PORT for PORT."""
    return names()[name] if Settings.model_fields[name].validation_alias else name


def names() -> dict[str, str]:
    """The variable of each field of `Settings`, e.g. ``{"port": "PORT", "home": "PAYMENT_KIT_HOME"}``."""
    aliases = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    return {
        name: str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{PREFIX}{name.upper()}"
        for name, alias in aliases.items()
    }


def require_writable(home: Path, name: str = "PAYMENT_KIT_HOME") -> None:
    """Raises `UsageProblem` SETTING_INVALID, of the setting `name`, when no state can be kept in `home`.

    Leaves nothing there.
    """
    place = next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.exists())
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".payment-kit-"):
            pass
    except OSError as error:
        raise UsageProblem(
            "SETTING_INVALID",
            f"{name}: {place} cannot be written ({error.strerror}).",
            next_step=f"Set {name} to a folder of yours, or run as the owner of that one.",
        ) from None


def _refuse_unknown(given: Mapping[str, str | None]) -> None:
    known = {*names().values(), *_NOT_SETTINGS}
    for name, value in given.items():
        upper = name.upper()
        if upper.startswith(PREFIX) and upper not in known and not _SERVICE_LINK.fullmatch(f"{upper}={value}"):
            nearest = _nearest(upper, names().values())
            hint = f"; did you mean {nearest}?" if nearest else "."
            next_step = "Correct or unset it; docs/settings.md lists every setting."
            raise UsageProblem("SETTING_INVALID", f"{name}: there is no such setting{hint}", next_step=next_step)


def _nearest(name: str, known: Iterable[str]) -> str:
    """The setting somebody may have meant; which of them carry the prefix is what people get wrong most."""
    stripped = {one.removeprefix(PREFIX): one for one in known}
    found = difflib.get_close_matches(name.removeprefix(PREFIX), stripped, 1)
    return stripped[found[0]] if found else ""


def _name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return names().get(name, name)


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
