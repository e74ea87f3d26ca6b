"""The image on the real engine, docker being a stand-in. The tests run in this order."""

import json
import shutil

import pytest
import yaml

from slipway.simulator.throwaway import EXAMPLES, Throwaway
from tests.artifacts import own_home, promoted
from tests.cluster.conftest import configure

pytestmark = pytest.mark.engine
REPOSITORY = "registry.example.org/team"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    with Throwaway(folder, EXAMPLES / "image") as stack:
        stack.environment["SLIPWAY_HOME"] = str(own_home(folder / "cache"))
        # The stand-in runs no build: what that would fetch need not be fetched here.
        settings = json.dumps({"packages": "fetched"})
        configure(stack, "image", repository=REPOSITORY, artifact=promoted(folder / "store"), settings=settings)
        yield stack


def docker(stack):
    return json.loads(stack.docker_books.read_text())


def ref(stack):
    return json.loads(stack.pulumi("stack", "output", "--json", "--stack", stack.stack))["ref"]


def test_the_image_is_built_pushed_and_named_by_its_digest(stack):
    stack.preview()
    stack.up()
    (tag,) = docker(stack)["built"]
    assert tag.startswith(f"{REPOSITORY}/digits:")
    assert ref(stack) == f"{REPOSITORY}/digits@{docker(stack)['registry'][tag]['digest']}"
    assert docker(stack)["daemon"] == {}


def test_a_second_update_changes_and_builds_nothing(stack):
    stack.preview("--expect-no-changes")
    stack.up("--expect-no-changes")
    assert len(docker(stack)["built"]) == 1


def test_another_clone_changes_and_builds_nothing(stack, tmp_path):
    with Throwaway(tmp_path, stack.program) as other:
        shutil.copytree(stack.folder / "state", other.folder / "state", dirs_exist_ok=True)
        other.environment["SLIPWAY_DOCKER_BOOKS"] = str(stack.docker_books)
        other.up("--expect-no-changes")
    assert len(docker(stack)["built"]) == 1


def test_another_stack_takes_the_image_that_is_there(stack, tmp_path):
    with Throwaway(tmp_path, stack.program, stack="other") as other:
        configured = yaml.safe_load((stack.program / "Pulumi.example.yaml").read_text())["config"]
        configure(other, "image", **{key.partition(":")[2]: value for key, value in configured.items()})
        other.environment["SLIPWAY_DOCKER_BOOKS"] = str(stack.docker_books)
        other.up()
        assert ref(other) == ref(stack)
        other.destroy()
    assert len(docker(stack)["built"]) == 1
    assert docker(stack)["registry"]


def test_a_new_model_is_an_update_in_place_that_takes_layers_of_the_image_before(stack):
    before = ref(stack)
    configure(stack, "image", artifact=promoted(stack.folder / "store", "other weights"))
    said = stack.up()
    assert "~" in said and "replace" not in said and ref(stack) != before
    tag = docker(stack)["built"][-1]
    assert docker(stack)["registry"][tag]["cache"] == before


def test_a_push_that_fails_leaves_the_image_before_and_says_what_to_do(stack):
    before = ref(stack)
    configure(stack, "image", artifact=promoted(stack.folder / "store", "third weights"))
    stack.environment["SLIPWAY_DOCKER_FAULT"] = "push=denied: requested access to the resource is denied"
    said = stack.up(fails=True)
    assert f"you may not write {REPOSITORY}/digits:" in said and "docker login registry.example.org" in said
    assert "Traceback" not in said
    assert ref(stack) == before
    del stack.environment["SLIPWAY_DOCKER_FAULT"]
    stack.up()
    assert ref(stack) != before


def test_an_image_that_is_gone_is_built_again(stack):
    before, books = ref(stack), docker(stack)
    books["registry"] = {}
    stack.docker_books.write_text(json.dumps(books))
    stack.up()
    assert ref(stack) == before
    stack.up("--expect-no-changes")


def test_who_only_previews_needs_no_docker(stack):
    stack.environment["SLIPWAY_DOCKER_FAULT"] = "manifest inspect=Cannot connect to the Docker daemon"
    stack.preview("--expect-no-changes")
    del stack.environment["SLIPWAY_DOCKER_FAULT"]


def test_destroy_leaves_the_image_for_others(stack):
    stack.destroy()
    assert docker(stack)["registry"]
