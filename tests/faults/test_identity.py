"""Two checkouts of one stack, as tests/engine/test_identity.py has it, on the clouds: some hundred seconds each.

They run in the order of their names, which is that of the import: the last changes what the first checkout finds.
"""

import pytest

from tests.engine.test_identity import (  # noqa: F401
    checkout,
    first,
    identity,
    test_a_second_checkout_is_refused_before_it_touches_anything,
    test_one_that_goes_on_by_hand_takes_in_nothing_and_its_destroy_leaves_the_first_whole,
    test_the_state_that_was_lost_is_found_again_by_its_identity_and_by_no_other,
)

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["aws", "gcp"])
def platform(request):
    return request.param
