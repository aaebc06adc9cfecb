"""Nobody may do more than the scenario needs: each permission is taken away, and a check of the scenario must fail without it."""

import json
import pathlib

import pytest
import scenario
from deployment import permissions

# What the emulator cannot show, and why. tests/plans/template.rs says who may do these.
NOT_SHOWN = {
    ("CastFunction", "TagTasks", "ecs:TagResource"): "ECS asks for it when a task is run with tags; the emulator does not",
    ("AdminFunction", "TagTaskDefinitions", "ecs:TagResource"): "likewise when a task definition is registered with tags",
    ("LifecycleFunction", "TagTasks", "ecs:TagResource"): "likewise when a task is run ahead of its visitor",
    ("CastFunction", "LookAfterTasks", "ecs:DescribeTasks"): "asked when ECS knows the client token already; the emulator knows none",
    ("CastFunction", "FindTasks", "ecs:ListTasks"): "likewise",
    ("AuthFunction", "NoteLogins", "dynamodb:GetItem"): "asked when somebody comes back from the login provider, which cannot be reached from here",
    ("AuthFunction", "NoteLogins", "dynamodb:PutItem"): "likewise",
    ("AuthFunction", "ListSessions", "dynamodb:BatchGetItem"): "asked for the account page of somebody who has logged in: likewise",
    ("AuthFunction", "ListSessions", "dynamodb:Query"): "likewise",
    ("AuthFunction", "ListSessions", 0): "likewise",
    ("AuthFunction", "ListSessions", 1): "likewise",
    ("SessionFunction", "StartTasks", "ecs:RunTask"): "asked when ECS has throttled a start, which the emulator never does; tests/faults/starts.rs has crowds that it does it to",
    ("SessionFunction", "TagTasks", "ecs:TagResource"): "likewise",
    ("SessionFunction", "CarryProfiles", "s3:DeleteObject"): "asked when a sixth archive takes the place of the first, and never waited for",
    ("SessionFunction", "MissProfiles", "s3:ListBucket"): "S3 asks for it before it says that an object is not there; the emulator says so anyway",
    ("AdminFunction", "MissProfiles", "s3:ListBucket"): "likewise",
    ("SessionFunction", "KeepProfiles", "dynamodb:GetItem"): "ReadLimits allows it for other keys, and the emulator knows no conditions",
    ("SessionFunction", "ReadLimits", "dynamodb:GetItem"): "likewise, the other way round",
    ("AdminFunction", "ClearProfiles", "s3:GetObject"): "asked when an archive was on its way when its session ended",
    **{("LifecycleFunction", "HearOfPools", f"dynamodb:{action}"): "Lambda asks for it to read the stream; the emulator reads it without" for action in ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"]},
    **{("CastFunction", "KeepSessions", index): "asked by the first claim after a limit was set, and never again; tests/faults/caps.rs has that moment" for index in [3, 4]},
    ("LifecycleFunction", "GivePlacesBack", "dynamodb:GetItem"): "asked for live sessions without a count, after the sweep has done all else; tests/faults/caps.rs has them",
    **{(function, statement, "dynamodb:BatchGetItem"): "asked while a counter is split, which takes claims that meet; tests/faults/crowd.rs has them" for function, statement in [("CastFunction", "ReadAndCount"), ("SessionFunction", "GivePlacesBack"), ("LifecycleFunction", "GivePlacesBack")]},
    ("CastFunction", "LookAfterTasks", "ecs:StopTask"): "asked when a session ends while its task is being started; tests/faults has that moment",
}


# Which check showed each permission last time: it is tried first, so that most need one check. Only the order depends on it.
# `infra/tests/shown_by.py` writes the file from the output of a run.
SHOWN_BY = json.loads(pathlib.Path(__file__).with_name("shown_by.json").read_text())


@pytest.mark.parametrize(("function", "statement", "what"), [one for one in permissions() if one not in NOT_SHOWN])
def test_without_this_permission_something_fails(deployment, function, statement, what):
    iam, role = deployment.client("iam"), deployment.role_of(function)
    name = next(name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if statement in str(iam.get_role_policy(RoleName=role, PolicyName=name)))
    whole = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    less = json.loads(json.dumps(whole))
    reduced = next(one for one in less["Statement"] if one["Sid"] == statement)
    if isinstance(what, int):
        del reduced["Resource"][what]
    else:
        reduced["Action"].remove(what)
    if not reduced["Action"]:
        less["Statement"].remove(reduced)
    scenario.image(deployment)
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(less)) if less["Statement"] else iam.delete_role_policy(RoleName=role, PolicyName=name)
    deployment.restart(function)
    likely = SHOWN_BY.get(f"{function} {statement} {what}")
    checks = sorted(scenario.for_function(function), key=lambda check: check.__name__ != likely)
    try:
        failed = next((check for check in checks if fails(deployment, check)), None)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(whole))
        deployment.restart(function)
    assert failed, f"{function} may {what} ({statement}), and nothing needs it"
    assert not fails(deployment, failed), f"{failed.__name__} fails with the permission too"
    print(f"{function} {statement} {what}: {failed.__name__}")


def fails(deployment, check):
    try:
        check(deployment)
    except (AssertionError, LookupError, ValueError):
        return True
    return False
