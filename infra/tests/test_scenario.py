"""The deployed template does what it is for."""

import time

import pytest
import scenario


@pytest.mark.parametrize("check", scenario.CHECKS, ids=lambda check: check.__name__)
def test_deployed(deployment, check):
    check(deployment)


def test_the_schedule_sweeps_by_itself(deployment):
    session = scenario.claimed(deployment, scenario.made_cast(deployment))
    scenario.ready(deployment, session)
    scenario.overdue(deployment, session)
    until = time.monotonic() + 90
    while scenario.state(deployment, session)["state"] == "ready":
        assert time.monotonic() < until, "nobody has swept"
        time.sleep(1)


def test_each_function_has_a_role_of_its_own(deployment):
    functions = [name for name in deployment.resources if name.endswith("Function") and name not in ("EdgeSettingsFunction", "EcsRoleFunction")]
    assert len(functions) == 6 == len({deployment.role_of(function) for function in functions})


def test_what_is_counted_is_written_as_metrics(deployment):
    scenario.claimed(deployment, scenario.made_cast(deployment))
    logs, group = deployment.client("logs"), deployment.resources["CastFunctionLogs"]
    until = time.monotonic() + 20
    while True:
        found = logs.filter_log_events(logGroupName=group)["events"] if group else []
        if any('"_aws"' in event["message"] and '"outcome":"accepted"' in event["message"] for event in found):
            return
        assert time.monotonic() < until, found[-3:]
        time.sleep(0.5)
