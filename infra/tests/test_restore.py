"""A link that was deleted comes back with all that belongs to it. Its rows are those that the functions' programs write in one emulator; another one restores tables."""

import datetime
import pathlib
import socket
import subprocess
import sys
import time

import boto3
import pytest
import scenario
from botocore.exceptions import ClientError

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import restore


@pytest.fixture
def restorer(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = pathlib.Path(sys.executable).parent / "moto_server"
    with open(tmp_path / "moto.log", "wb") as log:
        server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            yield boto3.client("dynamodb", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}", **keys)
        finally:
            server.terminate()
            server.wait(20)


def scanned(client, table):
    rows = [row for page in client.get_paginator("scan").paginate(TableName=table) for row in page["Items"]]
    return sorted(rows, key=lambda row: row["id"]["S"])


def test_deleted_link_comes_back_whole(deployment, restorer):
    kept, lost = scenario.made_cast(deployment), scenario.made_cast(deployment)
    rows = scanned(deployment.client("dynamodb"), deployment.resources["CastsTable"])
    table = "casts"
    restorer.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    restorer.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    for row in rows:
        restorer.put_item(TableName=table, Item=row)
    link = lost["id"]
    of_link = restore.rows_of(restorer, table, link)
    kinds = {row["id"]["S"].split("#")[0] for row in of_link}
    assert kinds == {link, "COUNTER", "KEY", "WORD"}
    assert not any(kept["id"] in row["id"]["S"] for row in of_link)
    now = datetime.datetime.now(datetime.timezone.utc)

    drilled = restore.restore(restorer, table, link, now, drill=True, pause=0.1)
    assert drilled == of_link and scanned(restorer, table) == rows
    with pytest.raises(ClientError):
        # What is there is not written over.
        restore.restore(restorer, table, link, now, drill=False, pause=0.1)
    with pytest.raises(SystemExit):
        restore.restore(restorer, table, "a" * 26, now, drill=False, pause=0.1)
    assert scanned(restorer, table) == rows
    assert restorer.list_tables()["TableNames"] == [table]

    # This emulator restores a table as it is; so what is lost is lost once the copy is there.
    copy = restorer.restore_table_to_point_in_time

    def restored(**asked):
        copy(**asked)
        for row in of_link:
            restorer.delete_item(TableName=table, Key={"id": row["id"]})
        assert len(scanned(restorer, table)) == len(rows) - len(of_link)

    restorer.restore_table_to_point_in_time = restored
    assert restore.restore(restorer, table, link, now, drill=False, pause=0.1) == of_link
    assert scanned(restorer, table) == rows
