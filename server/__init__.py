"""Lectern's server: accounts, courses, content, live sessions and the HTTP face of all of them."""

VERSION = "0.1.0"
