"""A Deployment and a Service through the real engine on a real API server: one stack's whole life, in this order."""

import json
import re
import signal
import time

import pytest

from slipway.simulator.kube.api import Ref
from tests.cluster.conftest import answer, configure, either, labelled

DEPLOYMENT = Ref("apps/v1", "Deployment", "life", "web")
SERVICE = Ref("v1", "Service", "life", "web")
STACK = "slipway-stack=web-example"
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module", params=["real", "stand-in"])
def plugin(request):
    """Both have to pass: this is what holds the stand-in to the real one."""
    return either(request)


@pytest.fixture(scope="module")
def web(new_stack):
    stack = new_stack("life")
    stack.pulumi("config", "set", "--secret", "token", TOKEN)
    return stack


def edit(stack, old, new):
    file = stack.program / "__main__.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_preview_touches_nothing_and_knows_only_what_is_known(web, api):
    said = web.preview("--diff")
    assert "+ 6 to create" in said
    assert TOKEN not in said
    assert api.get(Ref("v1", "Namespace", "", "life")) is None


def test_up_returns_when_the_service_answers(web):
    assert "+ 6 created" in web.up()
    assert answer(web.port) == "1"


def test_a_second_and_third_up_change_nothing(web, api):
    before = api.get(DEPLOYMENT)["metadata"]["generation"]
    web.up("--expect-no-changes")
    web.up("--expect-no-changes")
    web.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert api.get(DEPLOYMENT)["metadata"]["generation"] == before


def test_a_secret_is_in_the_cluster_and_nowhere_in_the_state(web, api):
    import base64

    encoded = base64.b64encode(TOKEN.encode()).decode()
    assert api.get(Ref("v1", "Secret", "life", "web-token"))["data"]["token"] == encoded
    state = json.dumps(web.state())
    assert TOKEN not in state
    assert encoded not in state


def test_a_change_is_previewed_by_its_field_and_updates_one_object(web):
    configure(web, version="2")
    said = web.preview("--diff")
    assert 'value: "1" => "2"' in said
    assert "~ 1 to update" in said
    assert "~ 1 updated" in web.up()
    assert answer(web.port) == "2"


def test_what_the_server_refuses_fails_the_preview_with_the_field(web):
    configure(web, replicas="-1")
    assert "spec.replicas" in web.preview(fails=True)
    configure(web, replicas="")


def test_an_argument_of_the_wrong_type_is_refused_by_name(web):
    edit(web, '"terminationGracePeriodSeconds": 10,', '"terminationGracePeriodSeconds": "long",')
    assert "spec.template.spec.terminationGracePeriodSeconds" in web.preview(fails=True)
    edit(web, '"terminationGracePeriodSeconds": "long",', '"terminationGracePeriodSeconds": 10,')


def test_what_was_deleted_is_seen_by_refresh_and_made_again(web, api):
    api.delete(SERVICE)
    assert "- 1 deleted" in web.pulumi("refresh", "--yes", "--skip-preview")
    assert "+ 1 created" in web.up()
    assert answer(web.port) == "2"


def test_a_field_that_another_has_taken_is_refused_by_name_and_can_be_forced_back(web, api):
    api.patch(DEPLOYMENT, {"spec": {"replicas": 2}})
    assert "~ 1 updated" in web.pulumi("refresh", "--yes", "--skip-preview")
    said = web.up(fails=True)
    assert "field conflict" in said
    assert re.search(r'conflict with "[^"]+" using apps/v1: \.spec\.replicas', said)
    edit(web, '"annotations": {', '"annotations": {"pulumi.com/patchForce": "true", ')
    web.up()
    assert api.get(DEPLOYMENT)["spec"]["replicas"] == 1


def test_a_new_logical_name_with_an_alias_changes_nothing(web):
    edit(web, '    "token",\n', '    "credentials",\n')
    edit(
        web,
        "    opts=placed,\n)\nready",
        '    opts=pulumi.ResourceOptions(parent=namespace, aliases=[pulumi.Alias(name="token")]),\n)\nready',
    )
    web.up("--expect-no-changes")


def test_a_failing_rollout_says_why_and_the_old_pods_serve_on(web):
    configure(web, fail="weights-7", timeout="12")
    said = web.up(fails=True)
    assert "no such model: weights-7" in said
    assert "BackOff" in said
    assert answer(web.port) == "2"
    (deployment,) = [each for each in web.resources() if each["type"].endswith(":Deployment")]
    assert deployment["initErrors"]
    configure(web, fail="", timeout="60")
    web.up()
    assert answer(web.port) == "2"
    web.up("--expect-no-changes")


def test_an_interrupted_rollout_ends_soon_and_in_order(web):
    configure(web, fail="weights-8", timeout="300")
    update = web.start_up()
    time.sleep(6)
    started = time.monotonic()
    update.send_signal(signal.SIGINT)
    assert update.wait(30) != 0
    assert time.monotonic() - started < 20
    assert not web.state().get("pending_operations")
    configure(web, fail="", timeout="60")
    web.up("--refresh")  # the real plugin records nothing of what was interrupted
    web.up("--expect-no-changes")


def test_what_was_created_and_never_recorded_is_taken_in_and_can_be_changed(web, api, ports):
    """Each object has a manager of its own name: taken in under another, it could not be changed any more."""
    state = json.loads(web.pulumi("stack", "export"))
    resources = state["deployment"]["resources"]
    state["deployment"]["resources"] = [each for each in resources if not each["type"].endswith(":Service")]
    file = web.folder / "without.json"
    file.write_text(json.dumps(state))
    web.pulumi("stack", "import", "--file", str(file))
    assert "imported" in web.recover("--backup")
    web.port = next(ports)
    configure(web, port=str(web.port))
    assert "~ 1 updated" in web.up()
    assert answer(web.port) == "2"
    managers = {each["manager"] for each in api.get(SERVICE)["metadata"]["managedFields"]}
    assert len([each for each in managers if each.startswith("pulumi-kubernetes")]) == 1


def test_an_immutable_field_replaces_the_object_before_it_is_made_again(web, api):
    uid = api.get(DEPLOYMENT)["metadata"]["uid"]
    configure(web, selector="web-2")
    assert "+-1 to replace" in web.preview()
    assert "+-1 replaced" in web.up()
    assert api.get(DEPLOYMENT)["metadata"]["uid"] != uid
    assert answer(web.port) == "2"


def test_a_new_physical_name_is_made_before_the_old_one_goes(web, api, ports):
    configure(web, name="www", port=str(next(ports)), selector="")
    web.up()
    assert api.get(DEPLOYMENT) is None
    assert api.get(Ref("apps/v1", "Deployment", "life", "www"))
    web.up("--expect-no-changes")


def test_destroy_leaves_nothing_that_carries_the_stacks_label(web, api):
    assert "Deployment life/www" in labelled(api, STACK)
    web.destroy()
    assert labelled(api, STACK) == []
    assert api.get(Ref("v1", "Namespace", "", "life")) is None
    assert web.resources() == []
