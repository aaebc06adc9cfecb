"""Measures what each function costs before it does anything: its size, the time from its start to its first question for an event, its memory then.

The functions are the programs that `sam build --build-dir target/sam` made. Each is started anew, twenty times, beside a Runtime API on loopback that
never hands out an event; its database and its ECS are an address on loopback that answers everything at once with nothing.

    python3 infra/bench/starts.py target/sam
"""

import gzip
import http.server
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

STARTS = 20
FUNCTIONS = ["Admin", "Auth", "Cast", "Error", "Lifecycle", "Session"]
# These sign addresses in the bucket of profiles, as in infra/template.yaml.
WITH_PROFILES = {"Admin", "Session"}


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """Notes when somebody asks for an event, and keeps them waiting."""

    protocol_version = "HTTP/1.1"
    asked = threading.Event()

    def do_GET(self):
        self.asked.set()
        time.sleep(5)

    def log_message(self, *_):
        pass


class FarSide(http.server.BaseHTTPRequestHandler):
    """Answers everything with an empty document."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST

    def log_message(self, *_):
        pass


def serve(handler):
    """A server on a port of its own; returns the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def environment(runtime_port, far_port):
    tables = {f"CASTING_TABLE_{name}": name.lower() for name in ["CASTS", "SESSIONS", "CLAIMS", "LIMITS", "CATALOG", "AUDIT"]}
    return {
        **tables,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{far_port}",
        "CASTING_PUBLIC_URL": "https://cast.example.com",
        "CASTING_SESSION_URL": "https://{session}.cast.example.com",
        "CASTING_SIGNING_KEY": "A" * 43,
        "CASTING_ECS_CLUSTER": "bench",
        "CASTING_ECS_SUBNETS": "subnet-1",
        "CASTING_ECS_SECURITY_GROUPS": "sg-1",
        "CASTING_ECS_ASSIGN_PUBLIC_IP": "ENABLED",
        "CASTING_ECS_EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/bench",
        "CASTING_ECS_CAPACITY": "FARGATE",
    }


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def start_once(program, variables):
    RuntimeApi.asked.clear()
    began = time.perf_counter()
    child = subprocess.Popen([program], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not RuntimeApi.asked.wait(10):
            raise SystemExit(f"{program} asked for no event; exit code {child.poll()}")
        return (time.perf_counter() - began) * 1000, resident_kib(child.pid)
    finally:
        child.kill()
        child.wait()


def main(folder):
    variables = environment(serve(RuntimeApi), serve(FarSide))
    print("| function | MiB | MiB, gzip | start to ready, median ms | p95 ms | memory then, MiB |")
    print("|---|---|---|---|---|---|")
    for name in FUNCTIONS:
        program = pathlib.Path(folder, f"{name}Function", "bootstrap")
        content = program.read_bytes()
        of_function = variables | ({"CASTING_PROFILE_BUCKET": "bench"} if name in WITH_PROFILES else {})
        runs = [start_once(str(program), of_function) for _ in range(STARTS)]
        times, memory = sorted(run[0] for run in runs), [run[1] for run in runs]
        cells = [
            len(content) / 2**20,
            len(gzip.compress(content)) / 2**20,
            statistics.median(times),
            times[int(STARTS * 0.95) - 1],
            statistics.median(memory) / 1024,
        ]
        print(f"| {name.lower()} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "target/sam")
