"""What every answer carries, what can be switched off, and what production refuses."""

import hashlib
import json
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from api.settings import Settings, explain
from api.tests.conftest import start, stop
from api.tests.test_process import fail_to_start

HASH = hashlib.sha256(b"key").hexdigest()
KEYS = [{"name": "billing", "sha256": HASH}]
PRODUCTION = {"ENVIRONMENT": "production", "API_KEYS": json.dumps(KEYS), "RATE_LIMIT": "10/second"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("POST", "/get_prediction", 415),
        ("GET", "/get_prediction", 405),
        ("GET", "/nowhere", 404),
    ],
)
def test_every_answer_has_security_headers(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    expected = {
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-resource-policy": "same-origin",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "server" not in answer.headers


def test_pages_and_metrics_can_be_switched_off(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", DOCS_ENABLED="false", METRICS_ENABLED="false")
    try:
        for path in ("/docs", "/docs/swagger-ui.css", "/openapi.json", "/redoc", "/metrics"):
            assert server.client.get(path).status_code == 404, path
        assert 'href="docs"' not in server.client.get("/").text
        assert server.client.get("/readyz").status_code == 200
    finally:
        stop(server)


def test_production_starts_with_keys_and_limits(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", **PRODUCTION)
    try:
        assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 401
        answer = server.client.post("/get_prediction", json={"name": "Jordan"}, headers={"x-api-key": "key"})
        assert answer.status_code == 200
    finally:
        stop(server)


@pytest.mark.parametrize("proxies", ['["*"]', '["10.0.0.0/8", "0.0.0.0/0"]', '["::/0"]'])
def test_production_says_all_that_is_unsafe_at_once(proxies: str) -> None:
    message = fail_to_start(ENVIRONMENT="production", CORS_ORIGINS='["*"]', LOG_LEVEL="debug", TRUSTED_PROXIES=proxies)
    for setting in ("API_KEYS", "RATE_LIMIT", "TRUSTED_PROXIES", "CORS_ORIGINS", "LOG_LEVEL"):
        assert f"NAME_CLASSIFIER_{setting}: production " in message


def test_production_may_leave_limits_to_the_keys() -> None:
    keys = json.dumps([{"name": "billing", "sha256": HASH, "limit": "5/second"}])
    assert Settings(environment="production", api_keys=keys).rate_limit == ""


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("API_KEYS", "secretword"),
        ("API_KEYS", '{"secretword": 1}'),
        ("API_KEYS", json.dumps([KEYS[0] | {"name_limit": "secretword"}])),
        ("API_KEYS", '[{"name": "billing", "sha256": "secretword"}]'),
        ("API_KEYS", '[{"name": "billing"}]'),
        ("API_KEYS", json.dumps([{"name": "secret word", "sha256": HASH}])),
        ("API_KEYS", json.dumps([KEYS[0] | {"limit": "secretword"}])),
        ("API_KEYS", json.dumps([KEYS[0] | {"key": "secretword"}])),
        ("API_KEYS", json.dumps([*KEYS, *KEYS])),
        ("API_KEYS", json.dumps([*KEYS, {"name": "other", "sha256": HASH}])),
        ("API_KEYS", json.dumps([*KEYS, {"name": "billing", "sha256": HASH[::-1]}])),
        ("API_KEYS_FILE", "/no/such/secretword"),
        ("RATE_LIMIT", "secretword"),
        ("RATE_LIMIT", "0/second"),
        ("RATE_LIMIT", "10/fortnight"),
        ("NAME_RATE_LIMIT", "secretword"),
        ("RATE_LIMIT_STORAGE", "secretword://"),
        ("RATE_LIMIT_STORAGE", "redis://127.0.0.1:secretword"),
        ("RATE_LIMIT_FAILURE", "secretword"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("TRUSTED_PROXIES", '["secretword"]'),
        ("TRUSTED_PROXIES", '["10.0.0.1/8"]'),
        ("CORS_ORIGINS", '["https://secretword/"]'),
        ("CORS_ORIGINS", "https://secretword"),
        ("ENVIRONMENT", "secretword"),
        ("DOCS_ENABLED", "secretword"),
    ],
)
def test_a_bad_setting_is_named_and_not_quoted(setting: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NAME_CLASSIFIER_{setting}", value)
    with pytest.raises(ValidationError) as error:
        Settings()
    message = explain(error.value)
    assert message.startswith(f"NAME_CLASSIFIER_{setting}: ")
    assert "secretword" not in message


def test_keys_stand_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(KEYS), encoding="utf-8")
    with pytest.raises(ValidationError, match="not in both"):
        Settings(api_keys=json.dumps(KEYS), api_keys_file=tmp_path / "keys.json")


def test_a_keys_file_that_lists_none_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("[]", encoding="utf-8")
    assert Settings(api_keys_file=tmp_path / "keys.json").key_needed
    assert not Settings().key_needed


def test_the_keys_file_is_named_when_it_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(KEYS[0]), encoding="utf-8")
    with pytest.raises(ValidationError) as error:
        Settings(api_keys_file=tmp_path / "keys.json")
    assert explain(error.value) == "NAME_CLASSIFIER_API_KEYS_FILE: a JSON list is wanted"


def test_settings_do_not_show_the_password_of_redis() -> None:
    assert "password" not in repr(Settings(rate_limit_storage="redis://:password@127.0.0.1:6379"))
