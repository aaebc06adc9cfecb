"""The custom resource that makes the service-linked role of ECS, run with stand-ins for AWS."""

import importlib.util
import io
import json
import pathlib
import sys
import types
import urllib.request

import pytest

FILE = pathlib.Path(__file__).parents[1] / "ecs_role.py"


class InvalidInput(Exception):
    pass


class Iam:
    """An account with or without the role, or without the permission to make it."""

    exceptions = types.SimpleNamespace(InvalidInputException=InvalidInput)

    def __init__(self, error=None):
        self.error, self.asked = error, []

    def create_service_linked_role(self, AWSServiceName):
        self.asked.append(AWSServiceName)
        if self.error:
            raise self.error


TAKEN = InvalidInput("Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.")


@pytest.mark.parametrize(
    "kind, error, status, role, asked, waited",
    [
        ("Create", None, "SUCCESS", "Created", 1, [15]),
        ("Create", TAKEN, "SUCCESS", "Exists", 1, []),
        ("Create", InvalidInput("another reason"), "FAILED", None, 1, []),
        ("Create", PermissionError("not authorized"), "FAILED", None, 1, []),
        ("Update", None, "SUCCESS", None, 0, []),
        ("Delete", None, "SUCCESS", None, 0, []),
    ],
)
def test_the_role_is_made_once(monkeypatch, kind, error, status, role, asked, waited):
    iam, sleeps, answers = Iam(error), [], []
    monkeypatch.setitem(sys.modules, "boto3", types.SimpleNamespace(client=lambda service: iam))
    spec = importlib.util.spec_from_file_location("ecs_role", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", sleeps.append)

    def urlopen(request, timeout):
        answers.append(json.loads(request.data))
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    event = {"RequestType": kind, "ResponseURL": "https://answer.example/?signed", "StackId": "stack", "RequestId": "request", "LogicalResourceId": "EcsRole"}
    module.handler(event, None)
    (answer,) = answers
    assert (answer["Status"], answer["Data"].get("Role"), len(iam.asked), sleeps) == (status, role, asked, waited)
    assert status == "SUCCESS" or str(error) in answer["Reason"]
