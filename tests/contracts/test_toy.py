"""The recipe "add a platform" is enough: a toy platform joins a copy of the project by it alone."""

import os
import shutil
import subprocess
import sys

from slipway.infra.home import ROOT

COPIED = ("infra", "service", "slipway", "policy", "tools", "bench", "tests", "models")
STACKS = ("dev", "aws", "gcp")
ALONE = ("__main__.py", "Pulumi.yaml", *(f"Pulumi.{name}.yaml" for name in STACKS), "CONTRIBUTING.md", "pyproject.toml")
FILES = {
    "__init__.py": "",
    "config.py": """from pydantic import Field

from slipway.infra.config.base import Settings


class ToyConfig(Settings):
    colour: str | None = Field(default=None, description="of the toy")
""",
    "rules.py": """from slipway.infra.platforms.toy.config import ToyConfig


def problems(config):
    if config.of(ToyConfig).colour is None:
        yield "toy.colour: is not set; name one, as red"
""",
    "platform.py": """import pulumi

from slipway.infra.platforms.base import Platform, Served


class ToyPlatform(Platform):
    def __init__(self, config):
        pulumi.ComponentResource("slipway:toy:Box", "box")

    def serve(self, name, service, artifact, access):
        pulumi.ComponentResource("slipway:toy:Service", name)
        return Served(url=artifact.digest.apply(lambda _: f"http://127.0.0.1:{service.port}"))
""",
    "row.py": """from slipway.infra.platforms.row import PlatformRow
from slipway.infra.platforms.toy.config import ToyConfig
from slipway.infra.platforms.toy.rules import problems


def _open(config):
    from slipway.infra.platforms.toy.platform import ToyPlatform

    return ToyPlatform(config)


TOY = PlatformRow(
    name="toy",
    settings=ToyConfig,
    description="a toy: {colour: red}",
    unsupported={"scale": "there is one of it"},
    problems=problems,
    open=_open,
    sweep=lambda stack, identity, config, tagged: ([f"the box of {stack}: empty"], []),
    builds_images=False,
)
""",
}
DECLARED = """  toy:
    type: object
    default: {}
    description: "a toy: {colour: red}"
"""
REFUSED = """
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig

for settings, named in (
    ({}, "slipway:toy.colour: is not set; name one, as red"),
    ({"toy": {"color": "red"}}, "slipway:toy.color: no such key; there are colour"),
    ({"toy": {"colour": "red"}, "scale": {"min": 2}}, "services.a.scale: platform toy has none: there is one of it"),
):
    service = {"model": "models/a", **({"scale": settings.pop("scale")} if "scale" in settings else {})}
    own = {f"slipway:{key}": each for key, each in settings.items()}
    keys = {"x": {"key": "0123456789abcdef0123456789abcdef"}}
    try:
        services = {"slipway:services": {"a": service}}
        StackConfig.parse({"slipway:platform": "toy", "slipway:apiKeys": keys, **services, **own})
    except ConfigError as error:
        assert named in str(error), error
    else:
        raise AssertionError(f"{settings} is taken")
"""


def test_a_toy_platform_that_is_added_by_the_recipe_alone_keeps_the_contracts(tmp_path):
    for part in COPIED:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ALONE:
        shutil.copyfile(ROOT / part, tmp_path / part)
    for name, content in FILES.items():
        (tmp_path / "infra" / "platforms" / "toy").mkdir(exist_ok=True)
        (tmp_path / "infra" / "platforms" / "toy" / name).write_text(content)
    table = tmp_path / "infra" / "platforms" / "table.py"
    line = "from slipway.infra.platforms.row "
    _edit(table, line, f"from slipway.infra.platforms.toy.row import TOY\n{line}")
    _edit(table, "AWS, GCP)", "AWS, GCP, TOY)")
    _edit(tmp_path / "Pulumi.yaml", "  services:\n    type: object", DECLARED + "  services:\n    type: object")
    stack = '    "toy": {**STACKS["kubernetes"], "platform": "toy", "toy": {"colour": "red"}, "services": SERVICES},\n'
    with (tmp_path / "tests" / "contracts" / "stacks.py").open("a") as stacks:
        stacks.write(f"STACKS = {{\n    **STACKS,\n{stack}}}\n")
    _ran(tmp_path, sys.executable, "-c", REFUSED)
    wanted = "toy or a_stack_that_the_contracts or only_a_platform_s_own or pulumi_yaml_declares"
    chosen = ["tests/contracts/test_platforms.py", "tests/contracts/test_operations.py", "tests/test_rooms.py"]
    said = _ran(tmp_path, sys.executable, "-m", "pytest", *chosen, "tests/infra/test_config.py", "-k", wanted)
    assert " passed" in said and "skipped" not in said, said


def _edit(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} is in {file} {text.count(old)} times"
    file.write_text(text.replace(old, new))


def _ran(folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
