"""What the engine says is read in one place."""

import os

import pytest

from slipway.ops.state.pulumi import NoStack, short, steps
from slipway.pipeline.errors import PipelineError

PULUMI = """#!/bin/sh
echo '{says}'
echo '{complains}' >&2
exit {code}
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Puts a double on PATH that says what it is told to."""

    def engine(says="", complains="", code=0):
        (tmp_path / "pulumi").write_text(PULUMI.format(says=says, complains=complains, code=code))
        (tmp_path / "pulumi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return engine


@pytest.mark.parametrize("first", ["", "Installing plugin aws\n"])
def test_steps_are_read_whatever_the_engine_says_before_them(engine, first):
    engine(first + '{"steps": [{"op": "same"}]}')
    assert steps("preview") == [{"op": "same"}]


@pytest.mark.parametrize("says", ["{}", '{"steps": null}'])
def test_a_program_without_resources_has_no_steps(engine, says):
    engine(says)
    assert steps("preview") == []


def test_what_went_wrong_is_told_out_of_the_one_object_that_json_is(engine):
    engine(
        '{"steps": [], "diagnostics": [{"severity": "info", "message": "a"}, {"severity": "error", "message": "why"}]}',
        code=1,
    )
    with pytest.raises(PipelineError, match="^pulumi preview --json: why$"):
        steps("preview")


def test_an_engine_that_tells_no_steps_is_no_engine_that_found_none(engine):
    engine("Installing plugin aws")
    with pytest.raises(PipelineError, match="pulumi refresh says nothing that can be read: Installing plugin aws"):
        steps("refresh", "--stack", "dev")


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("no stack named dev found", NoStack),
        ('unable to open state directory "file:///x/state": stat /x/state: no such file or directory', NoStack),
        ('unable to open state directory "file:///x/state": stat /x/state: permission denied', PipelineError),
        ("no access", PipelineError),
    ],
)
def test_a_stack_that_is_not_there_is_told_from_one_that_can_not_be_asked(engine, says, kind):
    engine(complains=f"error: {says}", code=255)
    with pytest.raises(PipelineError, match=f"pulumi preview --stack: error: {says}") as raised:
        steps("preview", "--stack", "dev")
    assert type(raised.value) is kind


def test_a_resource_is_named_by_its_kind_and_its_name_wherever_it_lies():
    assert short("urn:pulumi:dev::slipway::slipway:aws:Network$aws:ec2/vpc:Vpc::vpc") == "Vpc vpc"
