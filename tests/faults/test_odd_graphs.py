"""All odd graphs, built one after the other: the table of how each ends is docs/odd-graphs.md."""

import pytest
from slipway.infra.home import ROOT
from slipway.service.artifact import ArtifactError

from tests.pipeline.conftest import odd_graphs, probe, served_right

__all__ = ["odd_graphs", "probe", "served_right"]

DOCUMENT = ROOT / "docs" / "odd-graphs.md"
HEAD = """# Odd graphs, and how each ends

`make test-faults` writes this page. Each graph is a model folder of its own, with one peculiarity: it is built and then
served, or refused in one message (exit 2, or 3 where the model was judged and is not good enough). What a build left
out or serves otherwise, its report says in the words of the last column. The graphs are in
`tests/pipeline/probes/odd_graphs.py`; a few of them are built in every run of `make test`.

| graph | ends | in words |
|---|---|---|
"""


@pytest.fixture(scope="module")
def ends(odd_graphs):
    return odd_graphs([])


def test_each_of_more_than_sixty_odd_graphs_is_served_or_refused_in_one_message(ends, served_right, found):
    bad, served = {}, 0
    for name, each in ends.items():
        if each["end"] == "built":
            try:
                served_right(each["artifact"])
                served += 1
            except ArtifactError as error:
                bad[name] = f"built, and does not serve: {error}"
        elif each["end"] == "failed" or not each["words"] or "\n" in each["words"]:
            bad[name] = each["words"]
    how = {"built": "served", "input": "exit 2", "refused": "exit 3", "failed": "exit 1"}
    rows = [f"| {name} | {how[each['end']]} | {each['words'].replace('|', '/')[:300]} |" for name, each in ends.items()]
    DOCUMENT.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    found(
        "F16 odd graphs",
        f"{len(ends)} of them, built and served: docs/odd-graphs.md",
        f"{served} served, {len(ends) - served - len(bad)} refused in one message, {len(bad)} otherwise",
    )
    assert len(ends) > 60
    assert not bad
