"""The edge cloudfront, deployed: what its function is told fits what the other functions sign."""

import json

import pytest
from deployment import Deployment
from test_edge_settings import FILE


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    deployed = Deployment(tmp_path_factory.mktemp("emulator-with-an-edge"))
    try:
        deployed.deploy(Edge="cloudfront", SessionUrl=None, Login="none", AdminJwt="false")
        yield deployed
    finally:
        deployed.stop()


def test_the_store_of_the_function_is_filled_and_joined_to_it(edge):
    stores = edge.client("cloudfront").list_key_value_stores()["KeyValueStoreList"]["Items"]
    (store,) = [one for one in stores if one["Name"].startswith("casting-")]
    # The store is filled from here; to look into it takes a kind of signature that the client does not bring along.
    (filled,) = edge.client("s3").list_objects_v2(Bucket=edge.resources["EdgeBucket"])["Contents"]
    assert filled["Key"] == f"edge-{store['Name'].rsplit('-', 1)[1]}.json", "what the store is called tells what it holds"
    content = edge.client("s3").get_object(Bucket=edge.resources["EdgeBucket"], Key=filled["Key"])["Body"].read()
    values = {pair["key"]: pair["value"] for pair in json.loads(content)["data"]}
    assert values["keys"] == edge.edge_key() and values["session-host"] == "/s/{session}"
    assert values["gate-host"] == "ec2-{address}.eu-central-1.compute.amazonaws.com"
    assert values["control-url"] == edge.outputs["CastBaseUrl"].removesuffix("/cast/")
    functions = edge.client("cloudfront")
    told = functions.describe_function(Name=f"{edge.short_name}-edge", Stage="LIVE")["FunctionSummary"]["FunctionConfig"]
    assert [one["KeyValueStoreARN"] for one in told["KeyValueStoreAssociations"]["Items"]] == [store["ARN"]]
    code = functions.get_function(Name=f"{edge.short_name}-edge", Stage="LIVE")["FunctionCode"].read().decode()
    assert code.strip() == (FILE.parent / "router.js").read_text().strip()


def test_every_request_to_the_distribution_goes_through_the_functions(edge):
    (distribution,) = edge.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    behaviour = distribution["DefaultCacheBehavior"]
    joined = {one["EventType"]: one["FunctionARN"].rsplit("/", 1)[1] for one in behaviour["FunctionAssociations"]["Items"]}
    assert joined == {"viewer-request": f"{edge.short_name}-edge", "viewer-response": f"{edge.short_name}-edge-return"}
    assert behaviour["ViewerProtocolPolicy"] == "https-only" and "PUT" in behaviour["AllowedMethods"]["Items"]
    assert edge.outputs["SessionUrl"] == f"https://{distribution['DomainName']}/s/{{session}}"


def test_nobody_who_administers_has_logged_in_yet_and_a_key_is_enough(edge):
    answer = edge.request("GET", "/api/admin/casts", headers={"authorization": f"Bearer {edge.api_key}"})
    assert answer.status == 200, answer
    assert edge.request("GET", "/api/admin/casts").json()["code"] == "unauthorized", "the function itself refuses"
