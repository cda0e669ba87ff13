"""Run the service: `python -m api`."""

import logging
import signal
import sys
from typing import NoReturn

import uvicorn
from pydantic import ValidationError

from api.main import create_app
from api.protocol import connection_class
from api.server import Server
from api.settings import PREFIX, LogLevel, Settings
from api.telemetry import configure_logging
from model.errors import BundleError

logger = logging.getLogger("api")


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; bad settings or a bad bundle end it with one sentence and exit code 1."""
    configure_logging(LogLevel.INFO)
    try:
        settings = Settings()
        configure_logging(settings.log_level)
        app = create_app(settings)
    except ValidationError as error:
        problems = (f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        _give_up("; ".join(problems))
    except BundleError as error:
        _give_up(str(error))
    # uvicorn raises the signal again once it has drained; an asked-for end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app,
        http=connection_class(app.state.guard),
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
