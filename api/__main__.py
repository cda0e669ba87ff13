"""Run the service: `python -m api`; make an API key for it: `python -m api key NAME`."""

import logging
import signal
import sys
from typing import NoReturn

import uvicorn
from pydantic import ValidationError

from api.main import create_app
from api.middleware.api_keys import new_key
from api.observability.logs import configure_logging
from api.server.protocol import connection_class
from api.server.server import Server
from api.settings import LogLevel, Settings, explain
from model.errors import BundleError

logger = logging.getLogger("api")


def main() -> None:
    """Serve, or make a key; anything else is refused with a line on how to call it."""
    match sys.argv[1:]:
        case []:
            serve()
        case ["key", name]:
            show_new_key(name)
        case _:
            sys.exit("usage: python -m api [key NAME]")


def show_new_key(name: str) -> None:
    """Write a new key and its entry for the settings; the key is kept nowhere."""
    try:
        key, entry = new_key(name)
    except ValidationError:
        sys.exit("A key's name has 1 to 64 letters of a to z, digits, dots, dashes and underscores.")
    sys.stdout.write(f"{key}\n{entry}\n")
    sys.stderr.write("First the key, which is not shown again; below it, its entry for the settings.\n")


def serve() -> None:
    """Serve until SIGTERM or Ctrl-C; bad settings or a bad bundle end it with one sentence and exit code 1."""
    configure_logging(LogLevel.INFO)
    try:
        settings = Settings()
        configure_logging(settings.log_level)
        app = create_app(settings)
    except ValidationError as error:
        _give_up(explain(error))
    except BundleError as error:
        _give_up(str(error))
    # uvicorn raises the signal again once it has drained; an asked-for end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app,
        http=connection_class(app.state.guard),
        loop="api.server.loop:FairLoop",
        ws="none",
        backlog=4096,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        server_header=False,
    )
    Server(config, app.state.guard, drain_seconds=settings.drain_seconds).run()


def _give_up(reason: str) -> NoReturn:
    logger.critical(reason)
    sys.exit(1)


if __name__ == "__main__":
    main()
