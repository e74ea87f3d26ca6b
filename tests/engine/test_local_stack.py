"""The real program on the real engine: up, up again, edit, kill, refuse, down. The tests run in this order."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from slipway.infra.home import home
from slipway.infra.platforms.local import runtime

from slipway.ops.state.recover import orphaned_plugins
from tests.engine.checkout import Checkout, predict

pytestmark = pytest.mark.engine


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where this module's checkouts, state and cache are; environments are shared, as they are costly."""
    place = tmp_path_factory.mktemp("engine")
    environments = home() / "envs"
    environments.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("SLIPWAY_HOME")
    (place / "cache").mkdir()
    (place / "cache" / "envs").symlink_to(environments)
    os.environ["SLIPWAY_HOME"] = str(place / "cache")
    yield place
    for run in (place / "cache" / "run").glob("*"):
        runtime.stop(int(run.name), runtime.owner_of(run))
    os.environ.pop("SLIPWAY_HOME") if before is None else os.environ.update(SLIPWAY_HOME=before)


@pytest.fixture(scope="module")
def ports():
    return dict(zip(("steep", "flat"), free_ports(2), strict=True))


@pytest.fixture(scope="module")
def checkout(place, ports):
    return Checkout(place / "one", place / "state", ports)


def edit(path: Path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_up_by_hand_builds_judges_and_serves(checkout, ports):
    edit(checkout.path / "models" / "flat" / "model.py", "SLOPE = 2.0", "SLOPE = 0.5")
    checkout.up()
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(20)
    assert predict(ports["flat"], [1, 2, 3, 4]) == pytest.approx(5)


def test_up_again_changes_nothing(checkout, ports):
    pids = runtime.serving(ports["steep"])["pids"]
    checkout.up("--expect-no-changes")
    assert checkout.changes() == {}
    assert runtime.serving(ports["steep"])["pids"] == pids


def test_another_checkout_umask_and_touched_files_change_nothing(checkout, place, ports):
    other = Checkout(place / "elsewhere" / "two", place / "state", ports)
    edit(other.path / "models" / "flat" / "model.py", "SLOPE = 2.0", "SLOPE = 0.5")
    shutil.copyfile(checkout.path / "Pulumi.test.yaml", other.path / "Pulumi.test.yaml")
    for file in other.path.rglob("*.py"):
        file.touch()
        file.chmod(0o600)
    other.up("--expect-no-changes", umask=0o077)
    assert other.changes() == {}


def test_the_state_names_no_checkout(checkout, place):
    exported = str(checkout.state())
    assert str(place / "one") not in exported
    assert str(place / "elsewhere") not in exported


def test_an_edited_model_changes_its_artifact_and_its_service_alone(checkout, ports):
    untouched = runtime.serving(ports["flat"])["pids"]
    edit(checkout.path / "models" / "steep" / "model.py", "SLOPE = 2.0", "SLOPE = 3.0")
    assert checkout.changes() == {"ModelArtifact steep": "update", "LocalService steep": "update"}
    checkout.up()
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    assert runtime.serving(ports["flat"])["pids"] == untouched
    assert checkout.changes() == {}


def test_an_edited_service_changes_the_services_and_no_artifact(checkout, ports):
    with (checkout.path / "service" / "http" / "app.py").open("a") as app:
        app.write("\nEDITED = True\n")
    assert checkout.changes() == {"LocalService steep": "update", "LocalService flat": "update"}
    checkout.up()
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)


def test_a_killed_service_is_noticed_by_preview_and_repaired_by_up(checkout, ports):
    run = runtime.run_folder(ports["steep"])
    for pid in [*runtime.serving(ports["steep"])["pids"], runtime._supervisor(run).pid]:
        os.kill(pid, signal.SIGKILL)
    assert checkout.changes() == {"LocalService steep": "create"}
    drift = (sys.executable, "-m", "slipway.cli", "drift", "--stack", "test")
    assert checkout.run(*drift, fails=True).startswith("LocalService steep: gone\n")
    checkout.up()
    assert "as the last update left it" in checkout.run(*drift)
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)


def test_a_lost_artifact_is_noticed_and_built_again(checkout, ports):
    store = home() / "artifacts"
    shutil.rmtree(store)
    assert checkout.changes()["ModelArtifact steep"] == "create"
    checkout.up()
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    assert checkout.changes() == {}


def test_a_broken_model_is_refused_and_the_old_one_serves(checkout, ports):
    model = checkout.path / "models" / "steep" / "model.py"
    good = model.read_text()
    edit(model, "def train(log_dir):", "def train(log_dir):\n    raise RuntimeError('no data today')")
    said = checkout.build(fails=True)
    assert "models/steep/model.py" in said
    assert "no data today" in said
    assert "Traceback" not in said
    checkout.up(fails=True)
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    model.write_text(good)
    checkout.up("--expect-no-changes")


def test_a_model_below_its_own_minimum_is_refused_and_the_old_one_serves(checkout, ports):
    model = checkout.path / "models" / "steep" / "model.py"
    good = model.read_text()
    edit(model, "np.full((4, 1), SLOPE,", "np.full((4, 1), SLOPE + 1,")
    said = checkout.build(fails=True)
    assert "0.05" in said
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    model.write_text(good)


def test_a_refused_model_leaves_the_rest_to_be_updated_while_it_serves_on(checkout, ports):
    steep, flat = (checkout.path / "models" / name / "model.py" for name in ("steep", "flat"))
    good, before = steep.read_text(), flat.read_text()
    pids = runtime.serving(ports["steep"])["pids"]
    edit(steep, "np.full((4, 1), SLOPE,", "np.full((4, 1), SLOPE + 1,")
    edit(flat, "SLOPE = 0.5", "SLOPE = 0.25")
    assert 'To go on with the rest: make up STACK=test SERVICES="flat"' in checkout.build(fails=True)
    kept = checkout.run(sys.executable, "-m", "slipway.cli", "stack", "keep", "--stack", "test", "flat")
    checkout.environment["SLIPWAY_KEEP"] = kept
    checkout.build()
    checkout.up()
    del checkout.environment["SLIPWAY_KEEP"]
    assert predict(ports["flat"], [1, 2, 3, 4]) == pytest.approx(2.5)
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    steep.write_text(good)
    flat.write_text(before)
    checkout.up()
    assert runtime.serving(ports["steep"])["pids"] == pids  # kept, then named by its folder again: never replaced


def test_a_model_worse_than_the_serving_one_is_refused_unless_the_stack_says_so(checkout, ports):
    model, file = checkout.path / "models" / "steep" / "model.py", checkout.path / "Pulumi.test.yaml"
    good, settings = model.read_text(), file.read_text()
    edit(model, "np.full((4, 1), SLOPE,", "np.full((4, 1), SLOPE + 0.02,")
    for said in (checkout.build(fails=True), checkout.up(fails=True)):
        assert "steep: its rmse 0.02" in said
        assert "beyond the budget of 0.01" in said
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    edit(file, "model: models/steep", "acceptWorse: true\n      model: models/steep")
    checkout.up()
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30.2, abs=0.01)
    model.write_text(good)
    file.write_text(settings)
    checkout.up()
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)


def test_a_service_that_does_not_get_ready_is_refused_and_the_old_one_serves(checkout, ports):
    app = checkout.path / "service" / "http" / "app.py"
    good = app.read_text()
    app.write_text(good + "\nraise RuntimeError('the new version is broken')\n")
    pids = runtime.serving(ports["steep"])["pids"]
    said = checkout.up(fails=True)
    assert "the one before serves on" in said
    assert "the new version is broken" in said
    assert runtime.serving(ports["steep"])["pids"] == pids
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    app.write_text(good)
    checkout.up()
    assert checkout.changes() == {}


def test_an_unknown_key_is_refused_before_anything_is_touched(checkout, ports):
    file = checkout.path / "Pulumi.test.yaml"
    good = file.read_text()
    edit(file, "workers: 1", "wrokers: 1")
    for said in (checkout.build(fails=True), checkout.up(fails=True)):
        assert "services.flat.wrokers: no such key" in said
        assert "Traceback" not in said
    file.write_text(good)
    checkout.up("--expect-no-changes")


def test_a_taken_port_is_refused_and_the_old_port_serves(checkout, ports):
    file = checkout.path / "Pulumi.test.yaml"
    good = file.read_text()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        edit(file, f"port: {ports['steep']}", f"port: {taken}")
        assert f"port {taken} is taken by" in checkout.up(fails=True)
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)
    file.write_text(good)
    checkout.up()


def test_another_port_moves_the_service_and_frees_the_old_one(checkout, ports):
    (moved,) = free_ports(1)
    edit(checkout.path / "Pulumi.test.yaml", f"port: {ports['steep']}", f"port: {moved}")
    assert checkout.changes()["LocalService steep"] in ("replace", "create-replacement", "delete-replaced")
    checkout.up()
    assert predict(moved, [1, 2, 3, 4]) == pytest.approx(30)
    assert runtime.is_free(ports["steep"])
    ports["steep"] = moved


def test_a_promoted_artifact_is_served_as_it_was_judged_and_not_built_again(checkout, ports):
    steep = json.loads(checkout.run("pulumi", "stack", "output", "--json", "--stack", "test"))["services"]["steep"]
    file = checkout.path / "Pulumi.test.yaml"
    good = file.read_text()
    edit(file, "model: models/flat", f"model: {steep['artifactUri']}")
    assert checkout.changes() == {"ModelArtifact flat": "update", "LocalService flat": "update"}
    assert "training" not in checkout.up()
    assert predict(ports["flat"], [1, 2, 3, 4]) == pytest.approx(30)
    assert checkout.changes() == {}
    edit(file, steep["model"]["digest"], "sha256:" + "0" * 64)
    assert "the store holds no such artifact" in checkout.build(fails=True)
    assert predict(ports["flat"], [1, 2, 3, 4]) == pytest.approx(30)
    file.write_text(good)
    checkout.up()


def test_a_killed_update_is_recovered_from_and_leaves_no_second_service(checkout, ports):
    with (checkout.path / "service" / "http" / "app.py").open("a") as app:
        app.write("\nEDITED_AGAIN = True\n")
    command = ["pulumi", "up", "--stack", "test", "--yes", "--skip-preview"]
    update = subprocess.Popen(command, cwd=checkout.path, env=checkout.environment, stdout=subprocess.DEVNULL)
    time.sleep(2.5)
    update.kill()
    update.wait()
    checkout.run(str(checkout.path / ".venv/bin/python"), "-m", "slipway.cli", "recover", "--stack", "test")
    assert orphaned_plugins(str(checkout.path / ".venv")) == []
    checkout.up()
    assert checkout.changes() == {}
    assert predict(ports["steep"], [1, 2, 3, 4]) == pytest.approx(30)


def test_a_prometheus_is_told_what_to_scrape_and_what_would_alert_is_told_without_one(checkout, place, ports):
    file = checkout.path / "Pulumi.test.yaml"
    metrics = dict(zip(ports, free_ports(2), strict=True))
    for name, port in metrics.items():
        edit(file, f"model: models/{name}", f"metricsPort: {port}\n      model: models/{name}")
    edit(file, "config:\n", "config:\n  slipway:local: {monitoring: prometheus}\n")
    checkout.up()
    written = place / "cache" / "prometheus" / "slipway-test"
    assert all(f"127.0.0.1:{port}" in (written / "scrape.yaml").read_text() for port in metrics.values())
    for port in ports.values():
        predict(port, [1, 2, 3, 4])
    said = checkout.run(sys.executable, "-m", "slipway.cli", "doctor", "--watch", "--seconds", "2", "--stack", "test")
    for name in ports:
        assert f"\n{name}\n  quiet  SlipwayFailing, SlipwaySlow, SlipwaySaturated, " in said
    (written / "rules.yaml").unlink()
    assert checkout.changes() == {"PrometheusFiles prometheus": "create"}
    checkout.up()
    assert (written / "rules.yaml").exists() and checkout.changes() == {}


def test_production_goes_nowhere_until_it_is_released(checkout, ports):
    """Neither by a destroy, nor out of the configuration, nor as another environment; and a sweep ends no process."""
    file, slipway = checkout.path / "Pulumi.test.yaml", (sys.executable, "-m", "slipway.cli")
    jwt = "{jwks: 'https://issuer.example/keys', audience: a, issuer: i}"
    production = f"config:\n  slipway:environment: production\n  slipway:access: {{jwt: {jwt}}}\n"
    edit(file, "config:\n", production)
    good = file.read_text()
    checkout.up()
    pids = [runtime.serving(port)["pids"] for port in ports.values()]
    said = checkout.run("pulumi", "destroy", "--stack", "test", "--yes", "--skip-preview", fails=True)
    assert "slipway release test" in said
    for refused in (("removable",), ("sweep",)):
        said = checkout.run(*slipway, "stack", *refused, "--stack", "test", fails=True)
        assert "slipway release test, then make down STACK=test" in said
    file.write_text(good[: good.index("    steep:")])
    assert "slipway release test --update: steep" in checkout.up(fails=True)
    file.write_text(good.replace("production", "staging"))
    assert "run `slipway release test` first" in checkout.up(fails=True)
    file.write_text(good)
    assert [runtime.serving(port)["pids"] for port in ports.values()] == pids
    for typed, fails in (("tset", True), ("test", False)):
        done = subprocess.run(
            [*slipway, "release", "test"], input=f"{typed}\n", cwd=checkout.path, env=checkout.environment, text=True
        )
        assert bool(done.returncode) == fails


def test_down_leaves_no_process_port_file_or_state(checkout, ports, place):
    checkout.run("pulumi", "destroy", "--stack", "test", "--yes", "--skip-preview")
    checkout.run("pulumi", "stack", "rm", "test", "--yes", "--preserve-config")
    said = checkout.run(sys.executable, "-m", "slipway.cli", "stack", "sweep", "--stack", "test")
    assert "Nothing is left but caches." in said
    for port in ports.values():
        assert f"port {port}: free" in said
        assert runtime.is_free(port)
    assert list((place / "cache" / "run").glob("*")) == list((place / "cache" / "prometheus").glob("*")) == []
    assert list((place / "state" / ".pulumi" / "stacks").rglob("test.json")) == []
