#!/usr/bin/env python3
"""Brings a link of a deployment back as it was at a moment of the last 35 days: restores the table of links beside itself, copies the link's rows, and deletes the
copy again. Writes over nothing. Arguments: STACK LINK TIME (such as 2026-01-31T12:00:00Z); with --drill it only says what it would bring back."""

import argparse
import datetime
import sys
import time

import boto3
from botocore.exceptions import ClientError

# How long a restored table may take, in seconds; AWS says minutes to hours.
LONGEST = 6 * 3600


def wait(client, table, pause):
    for _ in range(int(LONGEST / max(pause, 1)) + 1):
        status = client.describe_table(TableName=table)["Table"]["TableStatus"]
        if status == "ACTIVE":
            return
        time.sleep(pause)
    raise SystemExit(f"{table} is not restored after {LONGEST} seconds.")


def rows_of(client, table, link):
    """The link's settings, its counter with its shards, the claims to its keys, and the words that it is found by."""
    found = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="contains(id, :link) OR cast_id = :link",
        ExpressionAttributeValues={":link": {"S": link}},
        ConsistentRead=True,
    )
    return sorted((row for page in found for row in page["Items"]), key=lambda row: row["id"]["S"])


def put_back(client, table, rows):
    """Writes what is missing, all or nothing: a key that another link has taken meanwhile stops it."""
    parts = [{"Put": {"TableName": table, "Item": row, "ConditionExpression": "attribute_not_exists(id)"}} for row in rows]
    client.transact_write_items(TransactItems=parts)


def restore(client, table, link, at, drill, pause=10.0):
    copy = f"{table[:200]}-restored-{at:%Y%m%d%H%M%S}"
    client.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=copy, RestoreDateTime=at)
    try:
        wait(client, copy, pause)
        rows = rows_of(client, copy, link)
        if not any(row["id"]["S"] == link for row in rows):
            raise SystemExit(f"There was no link {link} at {at:%Y-%m-%dT%H:%M:%SZ}.")
        if not drill:
            put_back(client, table, rows)
        return rows
    finally:
        client.delete_table(TableName=copy)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("link")
    parser.add_argument("time", type=lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))
    parser.add_argument("--drill", action="store_true")
    asked = parser.parse_args()
    resource = boto3.client("cloudformation").describe_stack_resource(StackName=asked.stack, LogicalResourceId="CastsTable")
    table = resource["StackResourceDetail"]["PhysicalResourceId"]
    began = time.monotonic()
    try:
        rows = restore(boto3.client("dynamodb"), table, asked.link, asked.time, asked.drill)
    except ClientError as error:
        raise SystemExit(f"Nothing was brought back: {error}") from error
    for row in rows:
        print(row["id"]["S"])
    print(f"{len(rows)} rows {'would be' if asked.drill else 'are'} back, after {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
