"""Requests with structure, right and nearly right: none fails the service, none that is wrong is answered with 200."""

from tests.service.wire_fuzz import Fuzz


def test_no_request_is_answered_with_5xx_and_none_that_is_wrong_with_200(start, artifacts, tmp_path):
    """`make test-faults` sends 200,000."""
    fuzz = Fuzz(start, artifacts, tmp_path)
    fuzz.run("classifier", 2000, seed=1)
    fuzz.run("echo", 300, seed=2)
    assert not fuzz.wrong, "\n".join(fuzz.wrong[:10])
    assert not fuzz.failures
    assert fuzz.right > 500
    assert {kind for kind, status in fuzz.statuses if status == 400} >= {"npy", "raw", "json", "v2", "packed", "texts"}
