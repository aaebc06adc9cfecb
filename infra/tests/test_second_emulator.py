"""What a deployment must be able to do, also as another emulator reads DynamoDB and ECS."""

import pytest
import scenario
from second_emulator import SecondEmulator

# What needs more of AWS than tables and tasks: a gateway that checks tokens, a stream that calls a function, and checksums of objects, which moto does not keep.
ELSEWHERE = {
    scenario.the_admin_api_asks_for_a_token_and_for_a_key,
    scenario.the_files_of_a_user_are_sent_kept_and_cleared,
    scenario.a_session_that_leaves_its_pool_is_replaced_before_the_schedule_comes_by,
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    started = SecondEmulator(tmp_path_factory.mktemp("second"))
    try:
        started.deploy()
        yield started
    finally:
        started.stop()


@pytest.mark.parametrize("check", [check for check in scenario.CHECKS if check not in ELSEWHERE], ids=lambda check: check.__name__)
def test_second_reading(emulator, check):
    check(emulator)


def test_functions_need_less_than_half_of_their_memory(emulator):
    scenario.the_administrator_sees_sessions_and_ends_them(emulator)
    scenario.the_sweep_ends_what_is_over_time(emulator)
    peaks = {name: (round(function.peak_memory()), function.memory_size) for name, function in emulator.functions.items()}
    assert all(0 < peak < size / 2 for peak, size in peaks.values()), peaks
    print(peaks)
