"""nginx, Caddy and HAProxy before a service, forwarding an offered upgrade or not, with buffering on and off."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

UPSTREAM_CONNECTIONS = 4
"""Kept open to the service: few, so that an attacker and its victims share them."""
START_SECONDS = 20


@dataclass(frozen=True)
class Proxy:
    """A program before the service, and how it is configured."""

    program: str
    forwards_upgrade: bool
    buffers: bool

    def __str__(self) -> str:
        upgrade = "forwards Upgrade" if self.forwards_upgrade else "drops Upgrade"
        return f"{self.program}, {upgrade}, buffering {'on' if self.buffers else 'off'}"

    @contextmanager
    def running(self, folder: Path, service_port: int, port: int) -> Iterator[None]:
        """Run it on a port, with its files in a folder. Raises RuntimeError if it does not start."""
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config"
        text, arguments = _CONFIGURATIONS[self.program](self, folder, service_port, port)
        config.write_text(text, encoding="utf-8")
        command = [self.program, *(argument.replace("CONFIG", str(config)) for argument in arguments)]
        environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_until_listening(process, port, folder / "log")
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def installed() -> list[Proxy]:
    """Return every configuration of the programs that are installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    programs = [program for program in _CONFIGURATIONS if shutil.which(program, path=path)]
    return [Proxy(*values) for values in product(programs, (True, False), (True, False))]


def _nginx(proxy: Proxy, folder: Path, service_port: int, port: int) -> tuple[str, tuple[str, ...]]:
    switch = "on" if proxy.buffers else "off"
    upgrade = ("$http_upgrade", "$http_connection") if proxy.forwards_upgrade else ('""', '""')
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    text = f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; {temporary} keepalive_requests 1000000; underscores_in_headers on;
  upstream service {{ server 127.0.0.1:{service_port}; keepalive {UPSTREAM_CONNECTIONS}; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_request_buffering {switch}; proxy_buffering {switch};
      proxy_set_header Upgrade {upgrade[0]}; proxy_set_header Connection {upgrade[1]};
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""
    return text, ("-c", "CONFIG", "-e", "stderr", "-p", str(folder))


def _caddy(proxy: Proxy, folder: Path, service_port: int, port: int) -> tuple[str, tuple[str, ...]]:
    upgrade = "" if proxy.forwards_upgrade else "header_up -Upgrade\n    header_up -Connection"
    buffering = "buffer_requests\n    buffer_responses" if proxy.buffers else "flush_interval -1"
    text = f"""
{{
  admin off
  auto_https off
  storage file_system {folder}
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{service_port} {{
    {buffering}
    {upgrade}
    transport http {{
      max_conns_per_host {UPSTREAM_CONNECTIONS}
    }}
  }}
}}
"""
    return text, ("run", "--config", "CONFIG", "--adapter", "caddyfile")


def _haproxy(proxy: Proxy, folder: Path, service_port: int, port: int) -> tuple[str, tuple[str, ...]]:
    del folder
    upgrade = "" if proxy.forwards_upgrade else "http-request del-header upgrade"
    buffering = "option http-buffer-request" if proxy.buffers else ""
    text = f"""
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
  http-reuse always
  {buffering}
frontend front
  bind 127.0.0.1:{port}
  {upgrade}
  default_backend service
backend service
  server service 127.0.0.1:{service_port} maxconn {UPSTREAM_CONNECTIONS} pool-max-conn {UPSTREAM_CONNECTIONS}
"""
    return text, ("-f", "CONFIG", "-db")


_CONFIGURATIONS = {"nginx": _nginx, "caddy": _caddy, "haproxy": _haproxy}


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")) from None
            time.sleep(0.05)
        else:
            return
