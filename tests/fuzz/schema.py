"""Schemathesis's tour of the OpenAPI document: sound and unsound data, boundaries, and chains of requests."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.attack.service import ROOT, Service
from tests.fuzz.sending import KEY

CONFIG = Path(__file__).with_name("schemathesis.toml")
_CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "negative_data_rejection", "positive_data_acceptance", "missing_required_header"),
    *("unsupported_method", "allow_header_conformance", "use_after_free", "every_answer"),
)
_REQUESTS_PER_EXAMPLE = 40
"""About as many requests an example of each operation comes to, in all phases."""


def run_schemathesis(service: Service, requests: int, seed: int) -> int:
    """Send about as many requests; print what failed and how to repeat it; return how many failures there were."""
    command = (
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"http://127.0.0.1:{service.port}/openapi.json", "--checks", ",".join(_CHECKS)),
        *("--header", f"X-API-Key: {KEY}", "--no-color", "--continue-on-failure"),
        *("--max-examples", str(max(1, requests // _REQUESTS_PER_EXAMPLE))),
        *("--seed", str(seed), "--generation-database", "none"),
    )
    version = json.loads(service.get("/v1/model", x_api_key=KEY))["model_version"]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        "PYTHONPATH": str(ROOT),
        "SERVED_VERSION": version,
    }
    done = subprocess.run(command, env=environment, cwd=service.log.parent, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        generated = re.search(r"(\d+) generated", done.stdout)
        print(f"schemathesis sent {generated[1] if generated else 'no'} requests and found nothing")
        return 0
    print(done.stdout + done.stderr)
    failed = re.search(r"(\d+) failures", done.stdout)
    return int(failed[1]) if failed else 1
