"""Ask the service that SERVICE names for a prediction, once it is ready; run by `helm test`."""

import json
import os
import time
import urllib.error
import urllib.request

SERVICE, API_KEY = os.environ["SERVICE"], os.environ.get("API_KEY", "")
UNAUTHORIZED = 401


def wait_until_ready(seconds: float) -> None:
    """Return once /readyz answers. Raises OSError if it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"{SERVICE}/readyz", timeout=5).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise
            print(f"not ready yet: {error}", flush=True)
            time.sleep(1)
        else:
            return


def predict(key: str) -> tuple[int, dict[str, list[object]]]:
    """Return the status and the body of one prediction."""
    body = json.dumps({"name": "Jordan", "n_predictions": 2}).encode()
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
    request = urllib.request.Request(f"{SERVICE}/get_prediction", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        return refusal.code, {}


wait_until_ready(float(os.environ["WAIT_SECONDS"]))
if os.environ["KEY_NEEDED"]:
    status, _ = predict("")
    print(f"without a key: {status}")
    assert status == UNAUTHORIZED, "a request without a key is refused"
if API_KEY or not os.environ["KEY_NEEDED"]:
    status, answer = predict(API_KEY)
    print(f"a prediction: {status} {answer}")
    labels, log_probs = answer["predictions"], answer["probabilities"]
    assert len(labels) == len(log_probs) == 2, "two predictions were asked for"
    assert 0 >= log_probs[0] >= log_probs[1], "natural logarithms, best first"
