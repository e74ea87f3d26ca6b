"""Every platform has every operation: what the product does with a stack besides declaring it."""

import json
import sys

import pytest
from click.testing import CliRunner
from slipway.infra.config.stack import StackConfig
from slipway.infra.errors import Unanswered
from slipway.infra.platforms.row import PlatformRow
from slipway.infra.platforms.table import PLATFORMS, billing, clouds, pricing

from slipway.cli.main import slipway
from slipway.ops import diagnose, reach
from slipway.ops.preflight.ask import answers
from slipway.ops.preflight.checks import OK, run
from slipway.ops.state import release
from tests.contracts.stacks import STACKS

CONFIGS = {name: StackConfig.model_validate(settings) for name, settings in STACKS.items()}


@pytest.fixture(params=PLATFORMS)
def row(request) -> PlatformRow:
    return PLATFORMS[request.param]


@pytest.fixture
def nothing_on_path(monkeypatch, tmp_path, slipway_home):
    """A machine with no cloud command, no Docker and no network: all that is asked fails at once."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("KUBECONFIG", "GOOGLE_OAUTH_ACCESS_TOKEN", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "state").as_uri())


def test_every_platform_has_a_stack_that_the_contracts_are_held_on():
    assert STACKS.keys() == PLATFORMS.keys()
    assert all(CONFIGS[name].platform == name for name in STACKS)


def test_its_sweep_says_what_it_looked_at_or_why_it_could_not(row, nothing_on_path):
    def silent(*_):
        raise Unanswered("no credentials")

    looked, left = row.sweep("x", "", CONFIGS[row.name], silent)
    assert looked or left
    assert all(isinstance(line, str) and line for line in [*looked, *left])


def test_its_preflight_finds_nothing_good_where_nobody_answers(row, nothing_on_path):
    findings = run(CONFIGS[row.name], answers(CONFIGS[row.name], "x"))
    asked = {each.check for each in findings}
    assert ("credentials" in asked) == (row.cloud is not None)
    assert not [each for each in findings if each.outcome == OK and each.check in ("credentials", "tools", "registry")]


def test_its_settings_have_defaults_and_its_reasons_are_of_keys_that_services_have(row):
    keys = type(CONFIGS[row.name].services["digits"]).model_fields
    assert row.unsupported.keys() <= keys.keys()
    assert (row.settings is None) == (row.description == "")
    if row.settings:
        assert isinstance(CONFIGS[row.name].of(row.settings), row.settings) and row.settings()


def test_a_service_that_is_not_of_this_machine_is_known_to_nobody(row):
    assert row.why_silent("https://digits.example.org") == []


KUBECTL = """#!{python}
import json, sys
json.dump(sys.argv[1:], open({asked!r}, "a"))
print(json.dumps({{"items": []}}))
"""


@pytest.mark.parametrize("name", [name for name, row in PLATFORMS.items() if row.cloud])
def test_the_doctor_asks_a_cloud_s_cluster_with_the_kubeconfig_that_the_stack_exports(name, tmp_path, monkeypatch):
    """A double of kubectl notes what it is asked."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.format(python=sys.executable, asked=str(tmp_path / "asked")))
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(reach, "pulumi", lambda *arguments: "apiVersion: v1")
    config = CONFIGS[name]
    assert list(diagnose.cluster_problems("x", config, PLATFORMS[name].kubectl)) == [
        "no pod carries the label app.kubernetes.io/managed-by=slipway"
    ]
    asked = json.loads((tmp_path / "asked").read_text().partition("]")[0] + "]")
    assert asked[:1] == ["--kubeconfig"] and asked[2:4] == ["--namespace", "slipway-x"]


@pytest.mark.parametrize("cloud", [*clouds()], ids=lambda cloud: cloud.package)
def test_a_cloud_has_a_price_for_what_it_bills_and_a_way_back_to_what_it_has_made(cloud):
    recovery = cloud.recovery
    kinds = {*recovery.by_name, *recovery.by_tag, *recovery.repeatable}
    assert all(kind.startswith(f"{cloud.package}:") for kind in kinds)
    assert not {*recovery.by_name} & {*recovery.by_tag}
    assert {*recovery.clusters} <= kinds
    assert cloud.billing.billed.keys() & cloud.billing.free == set()
    assert sum(each.names_region(place) for each in clouds() for place in ("us-east-1", "us-east1")) == 2


def test_a_stack_is_priced_in_the_region_of_its_own_cloud(row):
    found = pricing(CONFIGS[row.name])
    assert found.billing == billing()
    assert found.cloud == (row.cloud.package if row.cloud else "")
    assert bool(found.regions.get(found.cloud)) == (row.cloud is not None)


DOCKER = """#!{python}
import json, sys
words = sys.argv[1:]
left = json.load(open({left!r}))
kind = words[0] if words[0] in ("volume", "network") else "container"
if "--filter" in words:
    for name in left[kind]:
        print(json.dumps({{"Names": name}} if kind == "container" else {{"Name": name}}))
elif words[-1] == "stuck":
    sys.exit("Error response from daemon: volume is in use")
else:
    left[kind].remove(words[-1])
    json.dump(left, open({left!r}, "w"))
"""


@pytest.mark.parametrize(("volumes", "code"), [(["a-access"], 0), (["stuck"], 1), ([], 0)])
def test_a_docker_stack_is_swept_of_what_carries_its_label(tmp_path, monkeypatch, slipway_home, volumes, code):
    """A double of docker has what a killed destroy left."""
    left = tmp_path / "left.json"
    left.write_text(json.dumps({"container": ["a-front"] if volumes else [], "volume": volumes, "network": []}))
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.format(python=sys.executable, left=str(left)))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "state").as_uri())
    monkeypatch.setattr(StackConfig, "from_file", lambda stack: CONFIGS["docker"])
    monkeypatch.setattr(release, "refuse_held", lambda stack: None)  # there is no engine to ask
    swept = CliRunner().invoke(slipway, ["stack", "sweep", "--stack", "x"])
    assert swept.exit_code == code, swept.output
    assert "containers of Docker, label slipway:stack=slipway/x: " in swept.output
    if code:
        assert "volume stuck: Error response from daemon: volume is in use" in swept.output
    else:
        assert json.loads(left.read_text()) == {"container": [], "volume": [], "network": []}
        assert "Nothing is left but caches." in swept.output


@pytest.mark.parametrize("command", [["stack", "sweep"], ["preflight"], ["doctor"]])
def test_a_stack_without_a_file_is_refused_in_one_message(command, nothing_on_path):
    said = CliRunner().invoke(slipway, [*command, "--stack", "nowhere"])
    assert said.exit_code == 1 and isinstance(said.exception, SystemExit)
    assert "Pulumi.nowhere.yaml is missing: copy Pulumi.dev.yaml" in said.output
