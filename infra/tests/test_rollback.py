"""Which alarms roll an update back, and what CloudFormation is told. No emulator watches alarms while it updates, so the calls are compared."""

import argparse
import pathlib
import sys

import boto3
import pytest
from botocore.stub import Stubber

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import rollback

STACK = "casting-prod"


def resources(names):
    kind = {"ResourceType": "AWS::CloudWatch::Alarm", "LastUpdatedTimestamp": "2026-01-31T12:00:00Z", "ResourceStatus": "CREATE_COMPLETE"}
    return {"StackResourceSummaries": [{"LogicalResourceId": name, "PhysicalResourceId": f"{STACK}-{name}-X1", **kind} for name in names]}


@pytest.fixture
def stubbed():
    client = boto3.client("cloudformation", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stub:
        described = {
            "StackName": STACK,
            "StackId": f"arn:aws-us-gov:cloudformation:us-gov-west-1:111122223333:stack/{STACK}/0a",
            "CreationTime": "2026-01-31T12:00:00Z",
            "StackStatus": "UPDATE_COMPLETE",
            "Parameters": [{"ParameterKey": "Edge", "ParameterValue": "cloudfront"}, {"ParameterKey": "AlarmEmail", "ParameterValue": "****"}],
        }
        stub.add_response("describe_stacks", {"Stacks": [described]}, {"StackName": STACK})
        yield client, stub
        stub.assert_no_pending_responses()


def expect_update(stub, configuration):
    stub.add_response(
        "update_stack",
        {"StackId": STACK},
        {
            "StackName": STACK,
            "UsePreviousTemplate": True,
            "Parameters": [{"ParameterKey": "Edge", "UsePreviousValue": True}, {"ParameterKey": "AlarmEmail", "UsePreviousValue": True}],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "RollbackConfiguration": configuration,
        },
    )


def test_alarms_of_the_stack_become_triggers(stubbed):
    client, stub = stubbed
    stub.add_response("list_stack_resources", resources([*rollback.ALARMS, "ManySessions"]), {"StackName": STACK})
    arn = f"arn:aws-us-gov:cloudwatch:us-gov-west-1:111122223333:alarm:{STACK}"
    triggers = [{"Arn": f"{arn}-{name}-X1", "Type": "AWS::CloudWatch::Alarm"} for name in rollback.ALARMS]
    expect_update(stub, {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": 20})
    rollback.configure(client, STACK, 20)


def test_triggers_are_taken_away(stubbed):
    client, stub = stubbed
    expect_update(stub, {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0})
    rollback.configure(client, STACK, None)


def test_other_stacks_are_refused(stubbed):
    client, stub = stubbed
    stub.add_response("list_stack_resources", resources(["FunctionsFail"]), {"StackName": STACK})
    with pytest.raises(SystemExit, match="GatewayFails, ClaimsFail"):
        rollback.configure(client, STACK, 15)


@pytest.mark.parametrize("alarm", rollback.ALARMS)
def test_alarms_are_those_of_the_template(alarm):
    template = (pathlib.Path(rollback.__file__).with_name("template.yaml")).read_text()
    assert f"\n  {alarm}:\n    Type: AWS::CloudWatch::Alarm\n" in template


@pytest.mark.parametrize("text", ["0", "181", "-1"])
def test_minutes_outside_the_range_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="1 to 180"):
        rollback.minutes(text)
