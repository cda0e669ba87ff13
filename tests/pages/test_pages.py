"""The pages in headless Chromium without a network; `make test-pages` runs this and leaves pictures in build/pages."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "pages"
KEY = "a-key"
PREFIX = "/models/names"

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not on PATH")


@contextmanager
def _serving(**settings: str) -> Iterator[str]:
    """Run the service with the shipped bundle on a free port; yield its origin."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        values = {"PORT": origin.rpartition(":")[2], "REQUEST_LOG": "fast", "REQUEST_LOG_DIR": folder, **settings}
        environment = os.environ | {f"NAME_CLASSIFIER_{key}": value for key, value in values.items()}
        process = subprocess.Popen([ROOT / ".venv/bin/python", "-m", "api"], cwd=ROOT, env=environment)
        try:
            deadline = time.monotonic() + 60
            while not _ready(origin):
                assert process.poll() is None, "the service ended"
                assert time.monotonic() < deadline, "the service does not answer"
                time.sleep(0.1)
            yield origin
        finally:
            process.terminate()
            process.wait(timeout=30)


def _ready(origin: str) -> bool:
    try:
        with urllib.request.urlopen(f"{origin}/readyz") as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with _serving() as origin:
        yield origin


class _Proxy(ThreadingHTTPServer):
    """Passes on what comes below PREFIX, without the prefix, as an ingress does."""

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.upstream = upstream


class _Forwarding(BaseHTTPRequestHandler):
    server: _Proxy

    def do_GET(self) -> None:
        if not self.path.startswith(PREFIX):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0))) or None
        url = self.server.upstream + (self.path.removeprefix(PREFIX) or "/")
        request = urllib.request.Request(url, body, dict(self.headers), method=self.command)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read()
        self.send_response(answer.status)
        for name in ("content-type", "content-security-policy", "cache-control"):
            if value := answer.headers[name]:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def prefixed(origin: str) -> Iterator[str]:
    with _Proxy(origin) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
        proxy.shutdown()


class Browser:
    """Chromium, and what it asked the network for."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for argument in ("--headless=new", "--no-sandbox", "--no-proxy-server", "--window-size=900,900"):
            options.add_argument(argument)
        options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))

    def find(self, selector: str) -> webdriver.remote.webelement.WebElement:
        """Wait for an element and return it."""
        return WebDriverWait(self.driver, 20).until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element says something."""
        WebDriverWait(self.driver, 20).until(lambda _: text in self.find(selector).text)

    def type(self, selector: str, text: str) -> None:
        """Fill a field and press Enter."""
        field = self.find(selector)
        field.clear()
        field.send_keys(f"{text}\n")

    def picture(self, name: str) -> None:
        """Keep what it shows."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def requested(self) -> set[str]:
        """Return the addresses asked for since the last time."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}

    def complaints(self) -> list[str]:
        """Return what the console holds since the last time: errors, refused scripts and styles."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A browser that may have asked only the site that it shows, without a complaint."""
    chromium.driver.get("about:blank")
    chromium.requested(), chromium.complaints()
    yield chromium
    site = chromium.driver.current_url.split("/")[2]
    others = {url for url in chromium.requested() if url.split("/")[2:3] != [site] and not url.startswith("data:")}
    assert not others
    assert chromium.complaints() == []


def _expected(origin: str, name: str) -> dict[str, object]:
    body = json.dumps({"names": [name]}).encode()
    request = urllib.request.Request(f"{origin}/v1/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.mark.parametrize("place", ["root", "prefix", "prefix without its slash"])
def test_the_page_answers_a_name(browser: Browser, origin: str, prefixed: str, place: str) -> None:
    address = {"root": f"{origin}/", "prefix": f"{prefixed}/", "prefix without its slash": prefixed}[place]
    browser.driver.get(address)
    browser.type("#name", "Kowalska")
    browser.wait_for_text("#result", "Kowalska")
    expected = _expected(origin, "Kowalska")
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "#result li")
    (prediction,) = expected["predictions"]
    assert [row.text.splitlines()[0] for row in rows] == prediction["labels"]
    assert str(expected["model_version"]) in browser.find("#result").text
    hrefs = [link.get_attribute("href") for link in browser.driver.find_elements(By.CSS_SELECTOR, "nav a")]
    assert hrefs == [f"{address.rstrip('/')}/{path}" for path in ("docs", "v1/model")]
    browser.picture("page")


def test_the_page_says_when_the_model_abstains(browser: Browser, origin: str) -> None:
    browser.driver.get(origin)
    browser.type("#name", "asdfghjkl")
    browser.wait_for_text("#result .alert", "no label should be believed")
    browser.picture("page-unfamiliar")
    browser.type("#name", "ᏣᎳᎩ")
    browser.wait_for_text("#result .alert", "cannot be read")
    assert not browser.driver.find_elements(By.CSS_SELECTOR, "#result li")


def test_the_page_asks_for_a_key_and_shows_problems(chromium: Browser) -> None:
    entry = {"name": "browser", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "limit": "1/hour"}
    with _serving(API_KEYS=json.dumps([entry]), DOCS_ENABLED="false") as origin:
        chromium.driver.get(origin)
        assert [link.text for link in chromium.driver.find_elements(By.CSS_SELECTOR, "nav a")] == ["About the model"]
        assert not chromium.find("#key").is_displayed()
        chromium.type("#name", "Kowalska")
        chromium.wait_for_text("#result .alert", "Unauthorized")
        chromium.picture("page-key")
        chromium.type("#key", KEY)
        chromium.wait_for_text("#result", "Answered by model")
        chromium.type("#name", "Jordan")
        chromium.wait_for_text("#result .alert", "Too Many Requests")


def test_a_dark_screen_gets_dark_colours(browser: Browser, origin: str) -> None:
    for scheme in ("dark", "light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.driver.get(origin)
        browser.type("#name", "Kowalska")
        browser.wait_for_text("#result", "Kowalska")
        browser.picture(f"page-{scheme}")
        rgb = browser.find("body").value_of_css_property("background-color")
        assert (int(rgb.split("(")[1].split(",")[0]) < 128) == (scheme == "dark")


@pytest.mark.parametrize("place", ["root", "prefix"])
def test_docs_show_every_operation_and_try_one_out(browser: Browser, origin: str, prefixed: str, place: str) -> None:
    address = {"root": origin, "prefix": prefixed}[place]
    browser.driver.get(f"{address}/docs")
    with urllib.request.urlopen(f"{origin}/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    browser.find(".opblock")
    browser.picture("docs")
    shown = browser.driver.find_elements(By.CSS_SELECTOR, ".opblock")
    assert len(shown) == sum(map(len, paths.values()))
    operation = "[id$='check_service_check_service_get']"
    browser.find(f"{operation} .opblock-summary-control").click()
    browser.find(f"{operation} .try-out__btn").click()
    browser.find(f"{operation} .execute").click()
    browser.wait_for_text(f"{operation} .live-responses-table .response .response-col_status", "200")
    assert f"{address}/check_service" in browser.requested()
