"""One frozen Settings object, complete at start; this file is the only reader of the environment.

Names are the ones hosting platforms inject (PORT, DATABASE_URL, ...) and, for what is ours alone, LECTERN_*.
"""

from __future__ import annotations

import re
import secrets
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_MINIMUM_CHARACTERS = 32
X_ACCEL_PREFIX = re.compile(r"(/[\w.-]+)+", re.ASCII)
# RFC 7065: scheme, host (name, IPv4, or IPv6 in brackets), port, transport
TURN_URL = re.compile(r"(turns?):([\w.-]+|\[[\da-fA-F:.]+\])(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?", re.ASCII)


class Settings(BaseSettings):
    """Everything the program can be told from outside. Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8080, alias="PORT", ge=0, le=65535)
    data_dir: Path = Field(Path("./var"), alias="LECTERN_DATA_DIR")
    database_url_given: str = Field("", alias="DATABASE_URL")
    redis_url: str = Field("", alias="REDIS_URL")
    secret_key_given: str = Field("", alias="SECRET_KEY")
    media_port: int = Field(8081, alias="MEDIA_PORT", ge=0, le=65535)
    media_workers: int = Field(1, alias="LECTERN_MEDIA_WORKERS", ge=1, le=16)
    media_address: str = Field("", alias="LECTERN_MEDIA_ADDRESS")
    media_secret: str = Field("", alias="LECTERN_MEDIA_SECRET")
    media_test_loss: bool = Field(False, alias="LECTERN_MEDIA_TEST_LOSS")
    turn_urls_given: str = Field("", alias="LECTERN_TURN_URLS")
    turn_secret: str = Field("", alias="LECTERN_TURN_SECRET")
    public_url: str = Field("", alias="PUBLIC_URL")
    public_address: str = Field("", alias="PUBLIC_ADDRESS")
    tls_cert: Path | None = Field(None, alias="TLS_CERT")
    tls_key: Path | None = Field(None, alias="TLS_KEY")
    trusted_proxies_given: str = Field("", alias="TRUSTED_PROXIES")
    api_prefix: str = Field("", alias="LECTERN_API_PREFIX")
    x_accel_prefix: str = Field("", alias="LECTERN_X_ACCEL_PREFIX")
    access_token_seconds: int = Field(600, alias="ACCESS_TOKEN_SECONDS", ge=5, le=86_400)
    expert_signup: str = Field("closed", alias="LECTERN_EXPERT_SIGNUP", pattern="^(open|closed)$")
    allowed_origins_given: str = Field("", alias="LECTERN_ALLOWED_ORIGINS")
    metrics_token: str = Field("", alias="METRICS_TOKEN")
    demo_password: str = Field("", alias="LECTERN_DEMO_PASSWORD")
    log_format: str = Field("auto", alias="LECTERN_LOG_FORMAT", pattern="^(auto|json|console)$")
    log_level: str = Field("info", alias="LECTERN_LOG_LEVEL", pattern="^(debug|info|warning|error)$")
    empty_room_seconds: int = Field(3600, alias="LECTERN_EMPTY_ROOM_SECONDS", ge=1)
    seat_seconds: int = Field(60, alias="LECTERN_SEAT_SECONDS", ge=1)
    register_per_minute: int = Field(20, alias="LECTERN_REGISTER_PER_MINUTE", ge=1)
    free_space_reserve_bytes: int = Field(64 * 1024 * 1024, alias="LECTERN_FREE_SPACE_RESERVE_BYTES", ge=0)
    course_quota_bytes: int = Field(50 * 1024**3, alias="LECTERN_COURSE_QUOTA_BYTES", ge=0)

    limit_message_bytes: int = Field(65_536, alias="LECTERN_LIMIT_MESSAGE_BYTES", ge=1024)
    limit_sdp_bytes: int = Field(32_768, alias="LECTERN_LIMIT_SDP_BYTES", ge=1024)
    limit_events_per_second: float = Field(20, alias="LECTERN_LIMIT_EVENTS_PER_SECOND", gt=0)
    limit_events_burst: int = Field(40, alias="LECTERN_LIMIT_EVENTS_BURST", ge=1)
    limit_chat_per_second: float = Field(5, alias="LECTERN_LIMIT_CHAT_PER_SECOND", gt=0)
    limit_chat_burst: int = Field(20, alias="LECTERN_LIMIT_CHAT_BURST", ge=1)
    limit_signaling_per_second: float = Field(50, alias="LECTERN_LIMIT_SIGNALING_PER_SECOND", gt=0)
    limit_student_cameras: int = Field(3, alias="LECTERN_LIMIT_STUDENT_CAMERAS", ge=0, le=3)
    limit_connections_per_user: int = Field(10, alias="LECTERN_LIMIT_CONNECTIONS_PER_USER", ge=1)

    @field_validator("api_prefix")
    @classmethod
    def _prefix_shape(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if value and not value.startswith("/"):
            raise ValueError("LECTERN_API_PREFIX must begin with a slash, as in /api")
        return value

    @field_validator("x_accel_prefix")
    @classmethod
    def _x_accel_prefix_shape(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if value and not X_ACCEL_PREFIX.fullmatch(value):
            raise ValueError("needs the path of an internal location, as in /lectern-files")
        return value

    @field_validator("secret_key_given")
    @classmethod
    def _secret_length(cls, value: str) -> str:
        if value and len(value) < SECRET_MINIMUM_CHARACTERS:
            raise ValueError(f"SECRET_KEY needs at least {SECRET_MINIMUM_CHARACTERS} characters")
        return value

    @field_validator("trusted_proxies_given")
    @classmethod
    def _proxies_are_networks(cls, value: str) -> str:
        for part in _listed(value):
            try:
                ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"{part} is no address or network, as in 127.0.0.1 or 10.0.0.0/8") from None
        return value

    @field_validator("allowed_origins_given")
    @classmethod
    def _origins_are_exact(cls, value: str) -> str:
        for part in _listed(value):
            # Compared letter for letter with what browsers send, so a path or a capital would never match.
            if not _is_web_address(part) or part.rstrip("/").count("/") != 2 or part != part.lower():
                raise ValueError(f"{part} is no origin, as in https://school.example")
        return value

    @field_validator("turn_urls_given")
    @classmethod
    def _turn_urls_shape(cls, value: str) -> str:
        for part in _listed(value):
            if not TURN_URL.fullmatch(part):
                raise ValueError(
                    f"{part} is no TURN server, as in turn:turn.example.org:3478 or turns:turn.example.org"
                )
        return value

    @field_validator("turn_secret")
    @classmethod
    def _turn_secret_fits(cls, value: str, given: ValidationInfo) -> str:
        if "turn_urls_given" in given.data and bool(value) != bool(given.data["turn_urls_given"]):
            raise ValueError("goes with LECTERN_TURN_URLS: set both or neither")
        if value and len(value) < SECRET_MINIMUM_CHARACTERS:
            raise ValueError(f"needs at least {SECRET_MINIMUM_CHARACTERS} characters, as from openssl rand -hex 32")
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url_shape(cls, value: str) -> str:
        if value and not _is_web_address(value):
            raise ValueError("needs a web address, as in https://school.example")
        return value

    @field_validator("database_url_given")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        if value and not re.match(r"(postgres|postgresql|postgresql\+asyncpg)://|sqlite(\+aiosqlite)?:///", value):
            raise ValueError("needs PostgreSQL, as in postgresql://user:password@host/name, or sqlite:///file")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_shape(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("needs an address of Redis, as in redis://host:6379/0")
        return value

    @cached_property
    def database_url(self) -> str:
        """The SQLAlchemy URL: SQLite in the data directory unless DATABASE_URL names PostgreSQL."""
        given = self.database_url_given
        if not given:
            return f"sqlite+aiosqlite:///{(self.data_dir / 'lectern.db').resolve()}"
        for scheme in ("postgres://", "postgresql://"):
            if given.startswith(scheme):
                return "postgresql+asyncpg://" + given.removeprefix(scheme)
        if given.startswith("sqlite:///"):
            return "sqlite+aiosqlite:///" + given.removeprefix("sqlite:///")
        return given

    @property
    def is_embedded(self) -> bool:
        """SQLite in one folder: one process tree owns everything."""
        return self.database_url.startswith("sqlite")

    @cached_property
    def secret_key(self) -> str:
        """The signing key; made and kept in the data directory when embedded, required otherwise.

        Raises SystemExit naming SECRET_KEY when it is missing.
        """
        if self.secret_key_given:
            return self.secret_key_given
        if not self.is_embedded:
            raise SystemExit("Set these before starting: SECRET_KEY")
        return _kept_secret(self.data_dir / "secret_key")

    @cached_property
    def allowed_origins(self) -> tuple[str, ...]:
        """Exact foreign origins that may call us; empty means same origin only."""
        return tuple(part.rstrip("/") for part in _listed(self.allowed_origins_given))

    @cached_property
    def trusted_proxies(self) -> tuple[Any, ...]:
        """Networks whose Forwarded headers are believed."""
        return tuple(ip_network(part, strict=False) for part in _listed(self.trusted_proxies_given))

    @cached_property
    def turn_urls(self) -> tuple[str, ...]:
        """The TURN servers that browsers may use, as `turn:` and `turns:` addresses."""
        return tuple(_listed(self.turn_urls_given))

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def base_url(self) -> str:
        """Where people reach us, without a trailing slash: PUBLIC_URL, or the address we listen on."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "localhost" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"{'https' if self.tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://") or (not self.public_url and self.tls_cert is not None)


def _listed(given: str) -> list[str]:
    return [part.strip() for part in given.split(",") if part.strip()]


def _is_web_address(given: str) -> bool:
    try:
        parts = urlsplit(given)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and len(kept := path.read_text().strip()) >= SECRET_MINIMUM_CHARACTERS:
            return kept
        made = secrets.token_urlsafe(48)
        path.touch(mode=0o600)
        path.write_text(made)
        return made
    except OSError as error:
        raise unusable_folder(path.parent, error) from error


def unusable_folder(folder: Path, error: OSError) -> SystemExit:
    """The end of a start whose data directory cannot be written, in one line."""
    return SystemExit(f"LECTERN_DATA_DIR {folder} cannot be used: {error.strerror or error}.")
