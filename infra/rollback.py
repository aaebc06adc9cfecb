#!/usr/bin/env python3
"""Lets CloudFormation roll back an update of a deployment when functions, requests or claims fail during the update or in the minutes after it. Set once, it holds for every
later `sam deploy` of the stack. Arguments: STACK; with --minutes N it watches for N minutes after an update (15 by default); with --off it no longer does."""

import argparse
import sys

import boto3
from botocore.exceptions import ClientError

# The alarms of the template that tell a bad version from a good one within minutes.
ALARMS = ("FunctionsFail", "GatewayFails", "ClaimsFail")
# The most that CloudFormation takes.
LONGEST = 180


def triggers_of(client, stack):
    """The stack's own alarms, as CloudFormation watches them."""
    resources = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for page in resources for one in page["StackResourceSummaries"]}
    missing = [alarm for alarm in ALARMS if alarm not in names]
    if missing:
        raise SystemExit(f"{stack} has no alarm {', '.join(missing)}: is it a deployment of this template?")
    return [names[alarm] for alarm in ALARMS]


def configure(client, stack, minutes):
    """Changes nothing but the triggers: template, parameters and tags stay as they are. `minutes`: None takes the triggers away."""
    described = client.describe_stacks(StackName=stack)["Stacks"][0]
    # arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID
    partition, region, account = (described["StackId"].split(":")[index] for index in (1, 3, 4))
    alarms = [] if minutes is None else triggers_of(client, stack)
    triggers = [{"Arn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}", "Type": "AWS::CloudWatch::Alarm"} for name in alarms]
    client.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in described.get("Parameters", [])],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        RollbackConfiguration={"RollbackTriggers": triggers, "MonitoringTimeInMinutes": minutes or 0},
    )


def minutes(text):
    if not 1 <= int(text) <= LONGEST:
        raise argparse.ArgumentTypeError(f"must be 1 to {LONGEST}")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--minutes", type=minutes, default=15)
    parser.add_argument("--off", action="store_true")
    asked = parser.parse_args()
    client = boto3.client("cloudformation")
    try:
        configure(client, asked.stack, None if asked.off else asked.minutes)
        client.get_waiter("stack_update_complete").wait(StackName=asked.stack)
    except ClientError as error:
        raise SystemExit(f"Nothing was changed: {error}") from error
    if asked.off:
        print(f"Updates of {asked.stack} are no longer rolled back by alarms.")
    else:
        print(f"CloudFormation rolls an update of {asked.stack} back when {', '.join(ALARMS)} goes off, until {asked.minutes} minutes after it.")


if __name__ == "__main__":
    sys.exit(main())
