"""Everything that opens uploaded media; it runs only in short-lived, limited processes, never in a server.

Imports the standard library, PyAV and Pillow, and from us only the table of formats.
"""
