"""Engine, unit of work, column types; the only place that knows SQLite from PostgreSQL."""

from server.db.base import AUTOINCREMENT, Base, BigInt, Json, UtcDateTime, identity
from server.db.database import Database, Reading, Work

__all__ = ["AUTOINCREMENT", "Base", "BigInt", "Database", "Json", "Reading", "UtcDateTime", "Work", "identity"]
