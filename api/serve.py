"""Run the service, as `python -m api`, or make an API key for it, as `python -m api key NAME`."""

import errno
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

import uvicorn
from pydantic import ValidationError

from api.lifecycle import Lifecycle
from api.main import create_app, routers
from api.middleware.api_keys import new_key
from api.observability.logs import configure_logging
from api.routes.traits import RoutePaths, traits_of
from api.server.limits import ConnectionLimits, usable_connections
from api.server.protocol import connection_class
from api.server.server import Server
from api.settings import LogLevel, Settings, explain, unknown_variables
from model.errors import BundleError

logger = logging.getLogger("api")

_BACKLOG = 4096
"""Connections that the kernel completes before the service accepts them."""
_ACCEPTS = 16
"""Listeners on the one socket: uvloop accepts one connection for each in a turn of its loop, and turns get long."""
_SEND_BUFFER_BYTES = 256 * 1024
"""What the system holds of an answer that is not read: it would take 3 MB, of the memory that limits a container."""
_STANDARD_ERROR = 2


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
    try:
        sys.stdout.write(f"{key}\n{entry}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the end would try, and complain, again
        sys.exit(f"The key cannot be written: {error.strerror}.")
    sys.stderr.write("First the key, which is not shown again; below it, its entry for the settings.\n")


def serve() -> None:
    """Serve until SIGTERM or Ctrl-C; bad settings, port or bundle end it with one sentence and exit code 1."""
    _open_standard_streams()
    configure_logging(LogLevel.INFO)
    lifecycle = Lifecycle()
    try:
        settings = Settings()
        configure_logging(settings.log_level)
        _warn_of_unknown_variables()
        listener = _bind(settings.host, settings.port)
        app = create_app(settings, lifecycle)
    except ValidationError as error:
        _give_up(explain(error))
    except (BundleError, _PortError) as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(
            f"The request log cannot be written: {error.strerror}. NAME_CLASSIFIER_REQUEST_LOG_DIR chooses another "
            "folder, NAME_CLASSIFIER_REQUEST_LOG=off does without."
        )
    _handle_signals(app.state.key_file.reload)
    config = uvicorn.Config(
        app,
        http=connection_class(_connection_limits(settings)),
        loop="auto",
        ws="none",
        host=settings.host,
        port=settings.port,
        backlog=_BACKLOG,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        server_header=False,
    )
    _tune_garbage_collection()
    listeners = [listener, *(listener.dup() for _ in range(_ACCEPTS - 1))]
    server = Server(config, lifecycle, drain_seconds=settings.drain_seconds)
    app.state.metrics.connections.set_function(lambda: len(server.server_state.connections))
    server.run(sockets=listeners)


def _warn_of_unknown_variables() -> None:
    """Name what is set to no effect, without its value."""
    for name, nearest in unknown_variables(os.environ):
        logger.warning("no such setting, it has no effect", extra={"variable": name, "nearest": nearest})


def _tune_garbage_collection() -> None:
    """Leave alone what lives as long as the process, and look seldom: requests in progress are no garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _open_standard_streams() -> None:
    """Open those that whoever started this has closed: libuv aborts when it closes a socket that took their number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(descriptor)


def _bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; connections are refused until uvicorn listens on it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)  # connections inherit it
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.bind(address)
    except OSError as error:
        reason = "another process listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise _PortError(
            f"Cannot listen on port {port} of {host}: {reason}. "
            "NAME_CLASSIFIER_HOST and NAME_CLASSIFIER_PORT choose another place."
        ) from None
    return listener


def _connection_limits(settings: Settings) -> ConnectionLimits:
    max_connections, reserve = usable_connections(settings.max_connections)
    paths = RoutePaths.of(traits_of(routers(settings)))
    if max_connections < settings.max_connections:
        logger.info("fewer connections than configured: the limit on open files", extra={"limit": max_connections})
    return ConnectionLimits(
        max_connections=max_connections,
        reserve=reserve,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        idle_seconds=settings.idle_seconds,
        max_unsent_bytes=settings.max_unsent_bytes,
        probe_paths=frozenset(map(str.encode, paths.probe)),
        stream_paths=frozenset(map(str.encode, paths.stream)),
    )


def _handle_signals(reload_keys: Callable[[], None]) -> None:
    """End without a traceback: uvicorn raises a signal again once it has drained. SIGHUP reads the API keys again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, lambda *_: reload_keys())
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)


class _PortError(Exception):
    """The address cannot be listened on."""


def _give_up(reason: str) -> NoReturn:
    logger.critical(reason)
    sys.exit(1)
