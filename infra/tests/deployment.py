"""The template, deployed to an emulator of AWS that checks permissions and runs the functions' real programs."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import secrets
import socket
import subprocess
import sys
import time

import boto3
import urllib3
import yaml
from botocore.config import Config

INFRA = pathlib.Path(__file__).parents[1]
PROJECT = INFRA.parent
# The functions' programs: a folder with {binary}/bootstrap for each, or what `sam build` has built.
PROGRAMS = os.environ.get("CASTING_PROGRAMS")
BUILT = PROJECT / "target" / "sam" / "template.yaml"
REGION = "eu-central-1"
STACK = "casting"

# Types that the emulator does not know; alarms over several metrics belong to them. Those that matter here are held by tests/plans/template.rs; the others belong to edges that are not deployed here.
UNKNOWN = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Budgets::Budget",
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::Route53::RecordSetGroup",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
}

PARAMETERS = {
    "Architecture": os.environ.get("CASTING_ARCHITECTURE", "x86_64"),
    "Edge": "own",
    "SessionUrl": "https://{session}.s.example.com",
    "Login": "cognito",
    "AdminJwt": "true",
    "DeletionProtection": "false",
    "GateImage": "registry.example/gate:1",
    # Receivers of webhooks are on this machine.
    "HooksPrivate": "true",
    "EventBusArn": f"arn:aws:events:{REGION}:000000000000:event-bus/casting",
    "LogLevel": "debug",
    # No task of the emulator ends by itself, so the sessions of all checks add up.
    "MaxSessions": "100000",
    "BudgetPerHour": "100000",
    "BudgetPerDay": "100000",
    # Every caller is one address here.
    "ClaimsPerSecond": "1000",
    "RequestsPerSecond": "1000",
}


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.data.decode()

    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text[:2000]}"


class Deployment:
    """An emulator of its own, and the stack in it."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=60))
        settings = os.environ | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "MINISTACK_DATA_DIR": str(folder),
            "TMPDIR": str(folder),
        }
        self.log = open(folder / "emulator.log", "wb")
        program = pathlib.Path(sys.executable).parent / "ministack"
        self.process = subprocess.Popen([program], env=settings, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=folder)
        self._until_it_answers()

    def _until_it_answers(self):
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"the emulator has ended: {(self.folder / 'emulator.log').read_text()[-2000:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the emulator does not answer")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def client(self, service):
        once = Config(retries={"max_attempts": 1}, read_timeout=120)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, config=once, **keys)

    def deploy(self, **changes):
        """`sam deploy` of the template with its programs, without what the emulator does not know; then admits an administrator."""
        parameters = {name: value for name, value in (PARAMETERS | changes).items() if value is not None}
        template = built_template()
        is_unknown = lambda one: one["Type"] in UNKNOWN or (one["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in one["Properties"])
        # The distribution goes on without the firewall's rules.
        for one in template["Resources"].values():
            if one["Type"] == "AWS::CloudFront::Distribution":
                one["Properties"]["DistributionConfig"].pop("WebACLId", None)
        gone = {name for name, one in template["Resources"].items() if is_unknown(one)}
        while needs := {name for name, one in template["Resources"].items() if _named(one) & gone} - gone:
            gone |= needs
        template["Resources"] = {name: one for name, one in template["Resources"].items() if name not in gone}
        # It leaves punctuation in what it makes up, which is then no key.
        for key in ("SigningKey", "AdminKey"):
            template["Resources"][key]["Properties"] = {"SecretString": secrets.token_urlsafe(32)}
        # It refers to a secret by its name, where AWS does so by its ARN; tests/plans/template.rs holds which secrets a function may read.
        for function in template["Resources"].values():
            for statement in statements(function):
                if statement.get("Sid") == "ReadKeys":
                    statement["Resource"] = "*"
        # It takes every call to ECS for one on a cluster and knows no conditions; tests/plans/template.rs holds what these statements are bound to.
        for function in template["Resources"].values():
            for statement in statements(function):
                if all(action.startswith("ecs:") for action in statement["Action"]):
                    statement["Resource"] = "*"
                    statement.pop("Condition", None)
        # It refers to a secret by its name, where AWS does so by its ARN.
        for statement in template["Resources"]["EdgeSettingsRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
            if statement.get("Sid") == "ReadMasterKeys":
                statement["Resource"] = "*"
        # It gives no name of a role that is still to be made, and no condition's key; tests/plans/template.rs holds both.
        for statement in template["Resources"]["EcsRoleFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
            if statement.get("Sid") == "MakeRole":
                statement["Resource"] = "*"
                statement.pop("Condition")
        path = self.folder / "emulated.yaml"
        path.write_text(yaml.dump(template, Dumper=_Untagged, sort_keys=False))
        self.client("s3").create_bucket(Bucket="artefacts", CreateBucketConfiguration={"LocationConstraint": REGION})
        environment = os.environ | {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "SAM_CLI_TELEMETRY": "0"}
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        command = [os.environ.get("SAM", "sam"), "deploy", "--template-file", str(path), "--stack-name", STACK, "--region", REGION, "--s3-bucket", "artefacts"]
        command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *overrides]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            errors = [line for line in (self.folder / "emulator.log").read_text().splitlines() if " ERROR " in line]
            raise RuntimeError(f"sam deploy: {done.stdout[-1000:]}\n{done.stderr[-1000:]}\n" + "\n".join(errors[-9:]))
        cloudformation = self.client("cloudformation")
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        # What the names of rules and edge functions begin with.
        self.short_name = "casting-" + stack["StackId"].split("/")[2].split("-")[0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        found = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        self.resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for page in found for one in page["StackResourceSummaries"]}
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["SigningKeyArn"])["SecretString"]
        self.master = base64.urlsafe_b64decode(secret + "=")
        self._admit_administrator()

    def _admit_administrator(self):
        """A token of the user pool, if there is one, and the first API key, made with the secret that opens the API before there is any."""
        self.token = self._token() if "UserPoolId" in self.outputs else None
        self.api_key = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["AdminKeyArn"])["SecretString"]
        scopes = ["read", "casts", "images", "people", "sessions", "settings", "keys"]
        made = self.admin("POST", "api-keys", {"name": "tests", "scopes": scopes})
        if made.status != 201:
            raise RuntimeError(f"the first API key: {made}")
        self.api_key = made.json()["key"]

    def _token(self):
        pool, client, cognito = self.outputs["UserPoolId"], self.outputs["LoginClientId"], self.client("cognito-idp")
        cognito.update_user_pool_client(UserPoolId=pool, ClientId=client, ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"])
        cognito.admin_create_user(UserPoolId=pool, Username="ada@example.com", MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username="ada@example.com", Password="Correct-horse-1", Permanent=True)
        words = {"USERNAME": "ada@example.com", "PASSWORD": "Correct-horse-1"}
        login = cognito.admin_initiate_auth(UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=words)
        return login["AuthenticationResult"]["IdToken"]

    def row(self, table):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.resource("dynamodb", region_name=REGION, endpoint_url=self.url, **keys).Table(self.resources[table])

    # Requests, as they come through the gateway.

    def request(self, method, path, body=None, headers=None):
        sent = {"host": f"{self.outputs['ApiId']}.execute-api.localhost:{self.port}", "accept": "application/json"} | (headers or {})
        if body is not None:
            sent["content-type"] = "application/json"
        text = None if body is None else json.dumps(body).encode()
        return Answer(self.http.request(method, self.url + path, body=text, headers=sent, redirect=False))

    def admin(self, method, path, body=None, headers=None):
        token = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return self.request(method, f"/api/admin/{path}", body, token | {"x-api-key": self.api_key} | (headers or {}))

    def claim(self, key, headers=None):
        described = self.request("GET", f"/api/casts/{key}", headers=headers)
        if described.status != 200:
            return described
        return self.request("POST", f"/cast/{key}/claims", {"ticket": described.json()["ticket"]}, headers)

    def owner(self, claimed):
        return {"authorization": f"Bearer {claimed['session_token']}"}

    def secret(self, session):
        return text_of(hmac.new(self._derived("sessions"), session.encode(), hashlib.sha256).digest())

    def bootstrap(self, session, token):
        return self.request("POST", f"/session/{session}/bootstrap", {}, {"authorization": f"Bearer {token}"})

    def report(self, session, report, what="reports"):
        return self.request("POST", f"/session/{session}/{what}", report, {"authorization": f"Bearer {self.secret(session)}"})

    # What a gate does with a signed request.

    def fetch(self, url):
        return self.http.request("GET", url).data

    def send(self, url, headers, body):
        return self.http.request("PUT", url, body=body, headers=headers).status

    def login_cookie(self, name):
        """What the auth function would give a user of this name."""
        user = "u" + base64.b32encode(hashlib.sha256(name.encode()).digest()[:16]).decode().lower().rstrip("=")
        payload = json.dumps({"u": {"i": user, "n": name}, "e": int(time.time() * 1000) + 600_000})
        signed = "v1." + text_of(payload.encode())
        signature = hmac.new(self._derived("login ticket"), signed.encode(), hashlib.sha256).digest()
        secure = self.outputs["CastBaseUrl"].startswith("https:")
        return {"cookie": f"{'__Host-' if secure else ''}cast-login={signed}.{text_of(signature)}"}

    def edge_key(self):
        return text_of(self._derived("sessions"))

    def _derived(self, purpose):
        return hmac.new(self.master, f"session-casting 1 {purpose}".encode(), hashlib.sha256).digest()

    # What EventBridge would do.

    def tell_lifecycle(self, event):
        answer = self.client("lambda").invoke(FunctionName=self.resources["LifecycleFunction"], Payload=json.dumps(event))
        return answer.get("FunctionError"), answer["Payload"].read().decode()

    def task(self, session):
        """The task of a session, as ECS tells of it."""
        ecs, cluster = self.client("ecs"), self.outputs["ClusterName"]
        arns = ecs.list_tasks(cluster=cluster, startedBy=session)["taskArns"]
        arns = arns or ecs.list_tasks(cluster=cluster, startedBy=session, desiredStatus="STOPPED")["taskArns"]
        return ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"][0] if arns else None

    def restart(self, function):
        """A new environment: nothing is remembered, no count is waiting to be written."""
        # Which setting is written does not matter, and this one stays what it is.
        client, name = self.client("lambda"), self.resources[function]
        client.update_function_configuration(FunctionName=name, Timeout=client.get_function_configuration(FunctionName=name)["Timeout"])

    def role_of(self, function):
        return self.client("lambda").get_function_configuration(FunctionName=self.resources[function])["Role"].rsplit("/", 1)[1]


def built_template():
    """The template, each function with the absolute path of its program's folder."""
    source = INFRA / "template.yaml" if PROGRAMS else BUILT
    template = yaml.load(source.read_text(), _Tagged)
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        binary = resource.pop("Metadata")["BuildProperties"]["Binary"]
        folder = pathlib.Path(PROGRAMS, binary) if PROGRAMS else source.parent / resource["Properties"]["CodeUri"]
        assert (folder / "bootstrap").is_file(), f"{folder} has no program"
        resource["Properties"]["CodeUri"] = str(folder.absolute())
    return template


def text_of(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def statements(resource):
    """What a function may do, conditional statements included."""
    for policy in resource["Properties"].get("Policies", []) if resource["Type"] == "AWS::Serverless::Function" else []:
        for statement in policy["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def permissions():
    """What each function may do on tables, tasks and event buses: function, statement, and the action, or the resource's place in the statement's list."""
    template = yaml.load((INFRA / "template.yaml").read_text(), _Tagged)
    for function, resource in template["Resources"].items():
        for statement in statements(resource):
            for action in statement["Action"]:
                if action.startswith(("dynamodb:", "ecs:", "events:")):
                    yield function, statement["Sid"], action
            # Every function reads its keys, else it does not start; tests/plans/template.rs holds which.
            if isinstance(statement["Resource"], list) and statement["Sid"] != "ReadKeys":
                for place in range(len(statement["Resource"])):
                    yield function, statement["Sid"], place


class _Tag:
    def __init__(self, tag, value):
        self.tag, self.value = tag, value


class _Tagged(yaml.SafeLoader):
    """Reads `!Ref X` and its like as they are."""


class _Untagged(yaml.SafeDumper):
    """Writes them back."""

    def ignore_aliases(self, data):
        return True


def _read(loader, suffix, node):
    read = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence, yaml.MappingNode: loader.construct_mapping}
    deep = {} if isinstance(node, yaml.ScalarNode) else {"deep": True}
    return _Tag("!" + suffix, read[type(node)](node, **deep))


def _write(dumper, tagged):
    if isinstance(tagged.value, dict):
        return dumper.represent_mapping(tagged.tag, tagged.value)
    if isinstance(tagged.value, list):
        return dumper.represent_sequence(tagged.tag, tagged.value)
    return dumper.represent_scalar(tagged.tag, str(tagged.value))


_Tagged.add_multi_constructor("!", _read)
_Untagged.add_representer(_Tag, _write)


def _named(value):
    """Which resources something refers to."""
    if isinstance(value, _Tag):
        if value.tag == "!Ref":
            return {value.value}
        if value.tag == "!GetAtt":
            return {value.value.split(".")[0]}
        if value.tag == "!Sub" and isinstance(value.value, str):
            return {name.split(".")[0] for name in re.findall(r"\$\{([A-Za-z.]+)\}", value.value)}
        return _named(value.value)
    if isinstance(value, dict):
        return set().union(*map(_named, value.values()))
    return set().union(*map(_named, value)) if isinstance(value, list) else set()
