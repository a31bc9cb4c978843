"""`python -m server`: see cli.py for the commands."""

from server.cli import main

if __name__ == "__main__":
    main()
