"""Writes the template as CloudFormation sees it, once SAM's own types are turned into AWS's. Argument: where to."""

import json
import os
import pathlib
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = pathlib.Path(__file__).parents[1] / "template.yaml"
FUNCTIONS = ["cast", "session", "admin", "auth", "error", "lifecycle"]


class Managed:
    """The one policy that the transform looks up by name."""

    def load(self):
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in ["AWSLambdaBasicExecutionRole"]}


def transformed(template):
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    for name in FUNCTIONS:
        template["Resources"][f"{name.capitalize()}Function"]["Properties"]["CodeUri"] = "s3://code/of-the-function"
    return transform(template, {}, Managed(), None, Parser())


def ours():
    return transformed(yaml_parse(TEMPLATE.read_text()))


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(json.dumps(ours(), indent=1))
