"""A load on a real server process, and whether everything it acknowledged arrived: `python -m server load-test`."""
