"""What a running service knows of itself, and what looks wrong in it."""

from __future__ import annotations

from typing import Any

import httpx

_SECONDS = 10
_FULL = 0.8
# A process looks at its access file twice a second, and for an issuer's keys every five minutes.
_RULES_SECONDS, _ISSUER_SECONDS = 10, 900


def find_problems(told: dict[str, Any]) -> list[str]:
    """What looks wrong in an answer of /status, each with what to do about it."""
    problems = []
    queue, drift, answers = told["queue"], told["drift"], told["answers"]
    if queue["waiting"] > _FULL * queue["most"]:
        problems.append(f"{queue['waiting']} of at most {queue['most']} requests wait: add workers or replicas")
    asked = [counts for endpoint, counts in answers.items() if endpoint in ("/predict", "/v2/infer")]
    failed = sum(count for counts in asked for status, count in counts.items() if status.startswith("5"))
    if failed:
        problems.append(f"{failed} requests failed with 5xx: the service's log has them by request id")
    refused = sum(counts.get("429", 0) for counts in asked)
    if refused:
        problems.append(f"{refused} requests were refused with 429: add workers or replicas, or raise access.rate")
    if drift["drifted"]:
        most = ", ".join(_drifted(each) for each in drift["most"] if each["psi"] > each["limit"])
        problems.append(f"{drift['drifted']} of {drift['watched']} inputs' features have drifted ({most}): train anew")
    if told["access"]["open"]:
        problems.append("nobody is asked for a key (--access open)")
    ages = told["access"].get("ages", {})
    if (seconds := ages.get("rules", 0)) > _RULES_SECONDS:
        problems.append(
            f"the access file was last good {seconds:.0f} s ago, and keys taken out since are let in: see its log"
        )
    if (seconds := ages.get("issuerKeys", 0)) > _ISSUER_SECONDS:
        problems.append(
            f"the issuer's keys are {seconds:.0f} s old, as they can't be had: see whether jwt.jwks answers"
        )
    return problems


def _drifted(feature: dict[str, Any]) -> str:
    named, other = f"{feature['input']} {feature['feature']}", feature.get("other")  # a service of before tells none
    return f"{named}, {other:.1%} in no category of training" if other else named


def asked(url: str, key: str) -> tuple[dict[str, Any], list[str]]:
    """What a service answers at /status, empty where it does not, and what looks wrong."""
    try:
        # Redirects are not followed: the key is for this address alone.
        answer = httpx.get(f"{url}/status", headers={"authorization": f"Bearer {key}"} if key else {}, timeout=_SECONDS)
        if answer.status_code in (401, 403):
            problem = f"the key is not taken ({answer.status_code})" if key else "it asks for a key"
            return {}, [f"{problem}: name one with --key-file or $SLIPWAY_KEY"]
        if answer.status_code != 200:
            return {}, [f"/status answered {answer.status_code}"]
        told: dict[str, Any] = answer.json()
        return told, find_problems(told)
    except (httpx.HTTPError, ValueError) as error:
        return {}, [f"no answer: {error}"]
