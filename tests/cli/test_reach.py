"""What lies outside: there, not there, and nobody to ask, told apart."""

import json

import pytest
from slipway.infra.platforms import connectivity as internet

from slipway.ops.preflight import connectivity as reach
from slipway.simulator.web import web

DIGEST = "sha256:" + "a" * 64
NOWHERE = "127.0.0.1:9"  # nothing listens there


@pytest.fixture
def registry():
    """A registry that wants a token from anyone, as Docker Hub does."""

    def manifests(path, body, headers):
        if headers.get("authorization") != "Bearer open":
            challenge = f'Bearer realm="{double.address}/token",service="hub",scope="repository:library/python:pull"'
            return 401, {}, {"www-authenticate": challenge}
        return 200 if path.endswith(DIGEST) else 404, {}, {}

    with web({"/v2/team/python/manifests/": manifests, "/token": {"token": "open"}, "/v2/": {}}) as double:
        yield double


def image(double, digest=DIGEST):
    return f"{double.address.removeprefix('http://')}/team/python:3.12@{digest}"


def test_an_image_is_asked_for_by_its_digest_with_a_token_for_anyone(registry):
    good, says = reach.base_image(image(registry))
    assert good is True and "has 127.0.0.1" in says
    assert [method for method, *_ in registry.asked] == ["HEAD", "GET", "HEAD"]
    assert registry.asked[1][1] == "/token?service=hub&scope=repository%3Alibrary%2Fpython%3Apull"


def test_an_image_that_is_not_there_is_told_with_the_key(registry):
    good, says = reach.base_image(image(registry, "sha256:" + "b" * 64))
    assert good is False and "slipway:image.base" in says


def test_a_registry_that_wants_a_login_or_is_silent_is_no_failure(registry):
    registry.answers["/token"] = (401, {}, {})
    assert reach.base_image(image(registry))[0] is None
    assert reach.base_image(f"{NOWHERE}/team/python@{DIGEST}")[0] is None


def test_docker_hub_is_asked_where_it_answers(monkeypatch):
    asked = []

    class Client(reach.httpx.Client):
        def head(self, url, **_):
            asked.append(url)
            raise reach.httpx.ConnectError("no network")

    monkeypatch.setattr(reach.httpx, "Client", Client)
    good, says = reach.base_image(f"python:3.12@{DIGEST}")
    assert good is None and "docker.io can't be asked from here" in says
    assert asked == [f"https://registry-1.docker.io/v2/library/python/manifests/{DIGEST}"]


def test_a_registry_without_a_login_says_how_to_get_one(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    good, says = reach.registry("registry.example.org", "docker login registry.example.org")
    assert (good, says) == (False, "docker has no login for registry.example.org: docker login registry.example.org")
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"https://registry.example.org/v1/": {}}}))
    assert reach._has_login("registry.example.org")
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"europe-west4-docker.pkg.dev": "gcloud"}}))
    assert reach._has_login("europe-west4-docker.pkg.dev") and not reach._has_login("registry.example.org")
    host = registry.address.removeprefix("http://")
    assert reach.registry(host, "")[0] is True
    assert reach.registry(NOWHERE, "")[0] is None


def test_a_zone_that_its_parent_does_not_name_is_found_out(monkeypatch):
    servers = ["ns-1.awsdns-01.org.", "ns-2.awsdns-02.com."]
    answer = {"Status": 0, "Answer": [{"name": "ml.example.org.", "type": 2, "data": "NS-1.awsdns-01.org."}]}
    with web({"/resolve?name=ml.example.org&type=NS": answer, "/resolve": {"Status": 3}}) as dns:
        monkeypatch.setattr(internet, "DNS", f"{dns.address}/resolve")
        assert internet.delegated("ml.example.org", servers)[0] is True
        good, says = internet.delegated("other.example.org", servers)
        assert good is False and "ns-1.awsdns-01.org" in says
    assert internet.delegated("ml.example.org", servers)[0] is None
