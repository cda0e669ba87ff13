"""The command line of the request log: `python -m api.request_log COMMAND`."""

import os
import sys

import typer

from api.request_log.commands.erase import erase
from api.request_log.commands.export import export
from api.request_log.commands.migrate import migrate
from api.request_log.commands.retain import retain
from api.request_log.commands.stats import stats
from api.request_log.errors import RequestLogError

app = typer.Typer(
    help="Look into, export, erase from and prune the log of requests and their answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # brackets in a help text are brackets
)
for command in (stats, export, erase, retain, migrate):
    app.command()(command)


def main() -> None:
    """Run the command line; what goes wrong on purpose becomes one sentence and exit code 1."""
    try:
        app(prog_name="python -m api.request_log")
    except RequestLogError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the end would try, and complain, again
        sys.exit(f"error: Standard output cannot be written: {error.strerror}.")


if __name__ == "__main__":
    main()
