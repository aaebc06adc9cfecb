"""The CDK construct says what the template says: both are transformed and compared."""

import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml
from transformed import FUNCTIONS, ours, transformed

INFRA = pathlib.Path(__file__).parents[1]
CDK = INFRA / "cdk"


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory):
    """The stack of `infra/cdk/test/bare.ts`, which sets nothing. Programs are stand-ins: what they are does not matter here."""
    folder = tmp_path_factory.mktemp("cdk")
    for name in FUNCTIONS:
        (folder / "lambda" / name).mkdir(parents=True)
        (folder / "lambda" / name / "bootstrap").write_text(name)
    node("test/bare.js", folder / "out", folder / "lambda")
    return json.loads((folder / "out" / "Bare.template.json").read_text())


def node(program, *arguments):
    done = subprocess.run(["node", program, *map(str, arguments)], cwd=CDK, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr[-3000:]


def theirs(template):
    """Without what the CDK notes about itself."""
    for resource in template["Resources"].values():
        for note in ["aws:cdk:path", "aws:asset:path", "aws:asset:property"]:
            resource.get("Metadata", {}).pop(note, None)
    template["Resources"].pop("CDKMetadata", None)
    return transformed(template)


def normal(value):
    """The same, whichever way it is written: texts for numbers and booleans, long forms of functions, no order among keys."""
    if isinstance(value, dict):
        if isinstance(value.get("Fn::GetAtt"), str):
            return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}
        if isinstance(value.get("DependsOn"), list) and len(value["DependsOn"]) == 1:
            value = value | {"DependsOn": value["DependsOn"][0]}
        return {key: normal(one) for key, one in sorted(value.items()) if one not in ({}, None)}
    if isinstance(value, list):
        return [normal(one) for one in value]
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text.strip() if isinstance(value, str) else text


def test_both_make_the_same_resources_outputs_and_conditions(synthesised):
    template, construct = ours(), theirs(synthesised)
    for part in ["Resources", "Outputs", "Conditions"]:
        left, right = normal(template[part]), normal(construct[part])
        right = {name: one for name, one in right.items() if name in left or part != "Conditions"}
        assert left.keys() == right.keys(), part
        for name in left:
            assert without_notes(left[name]) == without_notes(right[name]), f"{part}: {name}"
    # What the CDK adds is its own version check.
    for part in ["Parameters", "Rules"]:
        left, right = normal(template[part]), normal(construct[part])
        assert left == {name: right.get(name) for name in left}, part


def without_notes(one):
    return {key: value for key, value in one.items() if key != "Metadata"} if isinstance(one, dict) else one


def test_the_comparison_sees_a_difference(synthesised):
    other = json.loads(json.dumps(synthesised))
    other["Resources"]["CastFunction"]["Properties"]["MemorySize"] = 512
    other["Resources"]["CastFunction"]["Properties"]["Tracing"] = "PassThrough"
    left, right = normal(theirs(synthesised))["Resources"], normal(theirs(other))["Resources"]
    assert left["CastFunction"] != right["CastFunction"] and left["SessionFunction"] == right["SessionFunction"]


class Plain(yaml.SafeLoader):
    """Reads without minding what tags mean."""


Plain.add_multi_constructor("!", lambda loader, suffix, node: None)


def test_every_parameter_is_a_property_with_the_parameters_words():
    parameters = yaml.load((INFRA / "template.yaml").read_text(), Plain)["Parameters"]
    source = (CDK / "lib" / "session-casting.ts").read_text()
    properties = dict(re.findall(r"^  (\w+): '(\w+)',$", source, re.M))
    assert sorted(properties.values()) == sorted(parameters)
    words = re.sub(r"\n\s+\* ", " ", source)
    for property_name, name in properties.items():
        assert property_name == name[0].lower() + name[1:]
        assert f"readonly {property_name}?:" in source
        assert re.sub(r"\s+", " ", parameters[name]["Description"]).strip() in words, f"{property_name} says something else than {name}"
        for allowed in parameters[name].get("AllowedValues", []):
            assert isinstance(allowed, int) or allowed in ("true", "false") or f"'{allowed}'" in source, f"{property_name}: {allowed}"


def test_the_example_is_a_whole_deployment(tmp_path):
    for name in FUNCTIONS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "bootstrap").write_text(name)
    environment = os.environ | {"CDK_OUTDIR": str(tmp_path / "out"), "CASTING_FUNCTIONS": str(tmp_path)}
    done = subprocess.run(["node", "example/app.js"], cwd=CDK, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    template = json.loads((tmp_path / "out" / "SessionCasting.template.json").read_text())
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert "cast.example.com" in json.dumps(variables["CASTING_PUBLIC_URL"]) and template["Transform"] == "AWS::Serverless-2016-10-31"
    assert "DomainName" not in template["Parameters"], "what is set is no question any more"
