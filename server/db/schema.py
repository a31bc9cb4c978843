"""All tables together: importing this module makes Base.metadata complete, for migrations and checks."""

from server.accounts import tables as accounts
from server.content import tables as content
from server.courses import tables as courses
from server.db.base import Base
from server.http import tables as http
from server.jobs import tables as jobs
from server.live_sessions import tables as live_sessions
from server.notifications import tables as notifications

__all__ = ["Base", "accounts", "content", "courses", "http", "jobs", "live_sessions", "notifications"]
