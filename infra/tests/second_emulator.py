"""A second emulator, moto, with the functions' real programs: another reading of DynamoDB's expressions and of ECS. It has no gateway, no schedule and checks no permissions: those stand here, or are the first emulator's."""

import base64
import http.server
import json
import os
import pathlib
import queue
import re
import secrets
import subprocess
import threading
import time
import types
import uuid

import moto.ec2.models.elastic_network_interfaces
import moto.ecs.models
import moto.server
import urllib3
from deployment import Answer, Deployment, REGION, built_template, text_of

ACCOUNT = "123456789012"
CLUSTER = "casting"
# Names that the template's resources have here; what is not named has its logical id.
NAMES = {"Cluster": CLUSTER, "ProfileBucket": "profiles"}
# What the functions' variables say that is no name of a resource.
PUBLIC_URL = "https://cast.example.com"
SESSION_URL = "https://{session}.s.example.com"


class Function:
    """One program and its Runtime API."""

    def __init__(self, program, environment, log):
        self.program, self.environment, self.log = program, environment, log
        self.answers, self.one_at_a_time = {}, threading.Lock()
        function = self

        class RuntimeApi(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                while True:
                    try:
                        request, event = self.server.events.get(timeout=0.1)
                        break
                    except queue.Empty:
                        # Who asked has been stopped.
                        if self.server is not function.api:
                            return
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("lambda-runtime-aws-request-id", request)
                self.send_header("lambda-runtime-deadline-ms", str(int(time.time() * 1000) + 29_000))
                self.send_header("lambda-runtime-invoked-function-arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{program.parent.name}")
                self.send_header("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request, kind = self.path.rsplit("/", 2)[1:]
                if request in function.answers:
                    function.answers[request].put((kind, json.loads(body)))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.runtime_api = RuntimeApi
        self.start()

    def start(self):
        self.api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.runtime_api)
        self.api.daemon_threads = True
        self.api.events = queue.Queue()
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        at = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_port}"}
        self.process = subprocess.Popen([self.program], env=self.environment | at, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.kill()
        self.process.wait(20)
        self.api.shutdown()

    def peak_memory(self):
        """The most that the process has had in memory, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024

    def invoke(self, event):
        """What became of an event: `response` or `error`, and its document."""
        request = str(uuid.uuid4())
        self.answers[request] = queue.Queue()
        with self.one_at_a_time:
            self.api.events.put((request, event))
            try:
                return self.answers[request].get(timeout=30)
            finally:
                del self.answers[request]


class SecondEmulator(Deployment):
    """The same requests as of a deployment, to the functions' programs themselves."""

    def __init__(self, folder):
        self.folder = folder
        _mend()
        self.server = moto.server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=60))
        self.log = open(folder / "functions.log", "wb")
        self.functions = {}

    def deploy(self):
        built = built_template()
        template, settings = built["Resources"], built["Globals"]["Function"]
        shared = settings["Environment"]["Variables"]
        self.resources = {name: NAMES.get(name, name) for name in template}
        self.outputs = {"ClusterName": CLUSTER, "CastBaseUrl": f"{PUBLIC_URL}/cast/", "AdminKeyArn": "AdminKey", "AdminKeyCommand": "--secret-id AdminKey"}
        for name, one in template.items():
            if one["Type"] == "AWS::DynamoDB::Table":
                self._make_table(name, one["Properties"])
        self.client("ecs").create_cluster(clusterName=CLUSTER)
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/20")["Subnet"]["SubnetId"]
        self.resources["PublicSubnetA"] = self.subnet
        self.group = self.resources["SessionSecurityGroup"] = ec2.create_security_group(GroupName="sessions", Description="sessions", VpcId=vpc)["GroupId"]
        self.client("s3").create_bucket(Bucket="profiles", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.master = secrets.token_bytes(32)
        for name, value in {"SigningKey": text_of(self.master), "AdminKey": secrets.token_urlsafe(32)}.items():
            made = self.client("secretsmanager").create_secret(Name=name, SecretString=value)
            self.resources[name] = made["ARN"]
        for name, one in template.items():
            if one["Type"] == "AWS::Serverless::Function":
                program = pathlib.Path(one["Properties"]["CodeUri"], "bootstrap")
                environment = self._environment(shared | one["Properties"].get("Environment", {}).get("Variables", {}))
                self.functions[name] = Function(program, environment, self.log)
                size = one["Properties"].get("MemorySize", settings["MemorySize"])
                # `!If [HasGeoDatabase, with, without]`: there is no database here.
                self.functions[name].memory_size = size if isinstance(size, int) else size.value[2]
        self.routes = _routes(template)
        self._admit_administrator()

    def stop(self):
        for function in self.functions.values():
            function.stop()
        self.server.stop()
        self.log.close()

    def _make_table(self, name, properties):
        known = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        table = {key: value for key, value in properties.items() if key in known}
        self.client("dynamodb").create_table(TableName=name, **table)

    def _environment(self, variables):
        """The variables of a function, with what the template refers to as it is here."""
        here = {
            "CASTING_PUBLIC_URL": PUBLIC_URL,
            "CASTING_SESSION_URL": SESSION_URL,
            "CASTING_STACK": "casting",
            "CASTING_ECS_SUBNETS": self.subnet,
            "CASTING_ECS_SECURITY_GROUPS": self.group,
            "CASTING_ECS_ASSIGN_PUBLIC_IP": "DISABLED",
            "CASTING_ECS_EXECUTION_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/ExecutionRole",
            "CASTING_ECS_CAPACITY": "FARGATE",
            "CASTING_ECS_STARTS_PER_SECOND": "20",
            "CASTING_EDGE_INSIDE": "false",
            "CASTING_GATE_IMAGE": "registry.example/gate:1",
            "CASTING_HOOKS_PRIVATE": "true",
            "CASTING_EVENT_BUS": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/casting",
            "CASTING_FIRST_MAX_SESSIONS": "100000",
            "CASTING_FIRST_BUDGET_PER_DAY_CENTS": "100000000",
            "CASTING_FIRST_BUDGET_PER_HOUR_CENTS": "100000000",
            "CASTING_LOG": "debug",
        }
        referred = lambda value: self.resources.get(value.value, "") if getattr(value, "tag", "") == "!Ref" else ""
        values = {name: here.get(name, referred(value)) for name, value in variables.items()}
        fixed = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test"}
        lambdas = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"}
        return {name: value for name, value in values.items() if value} | fixed | lambdas

    def request(self, method, path, body=None, headers=None):
        """What the gateway makes of a request."""
        path, _, query = path.partition("?")
        sent = {"host": "cast.example.com", "accept": "application/json", "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"} | (headers or {})
        cookies = sent.pop("cookie", "").split("; ")
        if body is not None:
            sent["content-type"] = "application/json"
        key, function = next((key, name) for pattern, key, name in self.routes if pattern.fullmatch(f"{method} {path}"))
        event = {
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": query,
            "cookies": [cookie for cookie in cookies if cookie],
            "headers": sent,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": "a",
                "domainName": "cast.example.com",
                "domainPrefix": "cast",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "tests"},
                "requestId": str(uuid.uuid4()),
                "routeKey": key,
                "stage": "$default",
                "time": "23/Nov/2026:12:00:00 +0000",
                "timeEpoch": int(time.time() * 1000),
            },
            "isBase64Encoded": False,
        } | ({} if body is None else {"body": json.dumps(body)})
        kind, answer = self.functions[function].invoke(event)
        assert kind == "response", answer
        text = answer.get("body") or ""
        data = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        return Answer(types.SimpleNamespace(status=answer["statusCode"], headers=answer.get("headers", {}), data=data))

    def tell_lifecycle(self, event):
        kind, answer = self.functions["LifecycleFunction"].invoke(event)
        return (None if kind == "response" else kind), json.dumps(answer)

    def restart(self, function):
        self.functions[function].stop()
        self.functions[function].start()


def _routes(template):
    """Each route's pattern, its key and its function; the most precise first."""
    integrations = {name: one["Properties"]["IntegrationUri"] for name, one in template.items() if one["Type"] == "AWS::ApiGatewayV2::Integration"}
    routes = []
    for one in template.values():
        if one["Type"] != "AWS::ApiGatewayV2::Route":
            continue
        key = one["Properties"]["RouteKey"]
        integration = re.search(r"\$\{(\w+)\}", one["Properties"]["Target"].value)[1]
        pattern = ".*" if key == "$default" else re.sub(r"\{\w+\}", "[^/]+", re.sub(r"\{\w+\+\}", ".+", key)).replace("ANY ", "[A-Z]+ ")
        routes.append((re.compile(pattern), key, integrations[integration].value.removesuffix(".Arn")))
    return sorted(routes, key=lambda route: (route[1] == "$default", "+" in route[1], "{" in route[1], "ANY" in route[1]))


def _mend():
    """It asks for a container's memory, which Fargate takes from the task, and for a name that its interfaces do not have."""
    needs = moto.ecs.models.EC2ContainerServiceBackend._calculate_task_resource_requirements

    def mended(definition):
        for container in definition.container_definitions:
            container.setdefault("memory", int(definition.memory or 512))
        return needs(definition)

    moto.ec2.models.elastic_network_interfaces.NetworkInterface.private_dns_name = "ip-10-0-0-1.ec2.internal"
    moto.ecs.models.EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(mended)
