"""The custom resource that hands the edge its settings, run with stand-ins for AWS."""

import importlib.util
import io
import json
import pathlib
import sys
import types
import urllib.request

import pytest

FILE = pathlib.Path(__file__).parents[1] / "edge" / "settings.py"
KEYS = {"arn:now": "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU", "arn:before": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
EDGE_KEY_OF_FIVES = "_LioUV6TLcvv0P97FsWEILk3p6O0hvmJxiOqpsiBHxQ"  # tests/plans/template.rs holds the Rust side to the same


class Cloud:
    """Keeps what is put into it."""

    def __init__(self):
        self.objects, self.secrets, self.answers = {}, {}, []

    def client(self, service):
        return self

    def get_secret_value(self, SecretId):
        return {"SecretString": KEYS[SecretId]}

    def put_secret_value(self, SecretId, SecretString):
        self.secrets[SecretId] = SecretString

    def put_object(self, Bucket, Key, Body, ContentType):
        self.objects[Bucket, Key] = Body

    def list_objects_v2(self, Bucket):
        return {"Contents": [{"Key": key} for bucket, key in self.objects if bucket == Bucket]}

    def delete_object(self, Bucket, Key):
        del self.objects[Bucket, Key]

    def describe_managed_prefix_lists(self, Filters):
        assert Filters[0]["Values"] == ["com.amazonaws.global.cloudfront.origin-facing"]
        return {"PrefixLists": [{"PrefixListId": "pl-1"}]}

    def urlopen(self, request, timeout):
        assert request.get_method() == "PUT" and request.full_url == "https://answer.example/?signed"
        said = json.loads(request.data)
        assert (said["StackId"], said["RequestId"], said["LogicalResourceId"]) == ("stack", "request", "EdgeSettings")
        self.answers.append((said["Status"], said["Data"], said["PhysicalResourceId"], said["Reason"]))
        return io.BytesIO()


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
def settings(cloud, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", types.SimpleNamespace(client=cloud.client))
    monkeypatch.setattr(urllib.request, "urlopen", cloud.urlopen)
    spec = importlib.util.spec_from_file_location("settings", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def event(kind, properties, before=None):
    asked = {"RequestType": kind, "ResourceProperties": properties, "ResponseURL": "https://answer.example/?signed"}
    asked |= {"StackId": "stack", "RequestId": "request", "LogicalResourceId": "EdgeSettings"}
    return asked | ({"OldResourceProperties": before} if before else {})


def wanted(**changes):
    values = {"session-host": "{session}.s.example.com", "gate-host": "ec2-{address}.example", "control-url": "https://cast.example.com"}
    return {"SigningKey": "arn:now", "PreviousSigningKey": "", "Bucket": "b", "Partition": "aws-us-gov", "Secret": "", "Values": values} | changes


def test_an_edge_key_is_what_the_rust_side_works_out(settings):
    assert settings.edge_key(KEYS["arn:now"]) == EDGE_KEY_OF_FIVES
    assert settings.edge_key("9z" * 21 + "9"), "43 letters and digits of a password generator are a key"


def test_a_store_is_filled_with_what_the_function_reads_and_the_answer_holds_no_key(settings, cloud):
    settings.handler(event("Create", wanted()), None)
    (status, told, _, _), ((bucket, name), body) = cloud.answers[0], *cloud.objects.items()
    filled = {pair["key"]: pair["value"] for pair in json.loads(body)["data"]}
    read = (FILE.parent / "router.js").read_text()
    assert status == "SUCCESS" and filled["keys"] == EDGE_KEY_OF_FIVES
    assert all(f"store.get('{key}')" in read for key in filled) and read.count("store.get('") >= len(filled)
    assert told["SourceArn"] == f"arn:aws-us-gov:s3:::{bucket}/{name}" and told["PrefixListId"] == "pl-1"
    assert EDGE_KEY_OF_FIVES not in json.dumps(told)


def test_other_settings_have_another_version_and_the_same_have_the_same(settings, cloud):
    changed = wanted(PreviousSigningKey="arn:before")
    for properties in [wanted(), wanted(), changed]:
        settings.handler(event("Update", properties, wanted()), None)
    versions = [told["Version"] for _, told, _, _ in cloud.answers]
    assert versions[0] == versions[1] != versions[2]
    newest = json.loads(cloud.objects["b", f"edge-{versions[2]}.json"])["data"]
    keys = next(pair["value"] for pair in newest if pair["key"] == "keys").split(",")
    assert keys[0] == EDGE_KEY_OF_FIVES and len(keys) == 2, "while keys are changed, both are taken"


def test_a_load_balancers_edge_finds_its_key_in_its_secret(settings, cloud):
    settings.handler(event("Create", wanted(Bucket="", Secret="arn:edge")), None)
    assert cloud.secrets == {"arn:edge": EDGE_KEY_OF_FIVES} and not cloud.objects


def test_a_bucket_is_empty_before_it_is_deleted(settings, cloud):
    settings.handler(event("Create", wanted()), None)
    settings.handler(event("Update", wanted(Bucket="", Secret="arn:edge"), wanted()), None)
    assert not cloud.objects
    settings.handler(event("Create", wanted()), None)
    settings.handler(event("Delete", wanted()), None)
    assert not cloud.objects and [answer[0] for answer in cloud.answers] == ["SUCCESS"] * 4


def test_what_fails_is_said(settings, cloud):
    settings.handler(event("Create", wanted(SigningKey="arn:gone")), None)
    status, told, _, reason = cloud.answers[0]
    assert status == "FAILED" and not told and "arn:gone" in reason
