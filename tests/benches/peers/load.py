"""Owns floods of requests that are all refused: wrk, the same for everyone. Must not know who refuses."""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from browser import HTML, Browser
from processes import Program

SECONDS, THREADS, CONNECTIONS = 6, 2, 32
# Before the measurement, in seconds.
WARM_UP = 1
SCRIPT = Path(__file__).parent / "refuse.lua"


@dataclass
class Request:
    """A request that is to be refused, and how."""

    url: str
    status: int
    # What the body of the refusal contains.
    text: str
    # A form, where it is a POST.
    fields: dict | None = None
    accept: str = HTML
    headers: list[str] = field(default_factory=list)
    # From how many addresses it comes, in turns.
    addresses: int = 1


@dataclass
class Flood:
    """What came of it."""

    # Refusals a second.
    rate: float
    # Processors that the serving processes used.
    processors: float
    # Seconds until a refusal.
    median: float
    p95: float

    @property
    def per_processor(self) -> float:
        """Refusals for each second of a processor."""
        return self.rate / self.processors


def forwarded(number: int) -> str:
    """The header that says that a request comes from the address with this number, as refuse.lua counts them."""
    return f"x-forwarded-for: 192.0.{number // 250}.{number % 250 + 1}"


def check(request: Request):
    """Makes sure that the request is refused as it should be. Raises RuntimeError otherwise."""
    headers = [*request.headers, forwarded(1)]
    with Browser() as browser:
        if request.fields is None:
            browser.get(request.url, request.accept, headers).expect(request.status, request.text)
        else:
            browser.post(request.url, request.fields, request.accept, headers).expect(request.status, request.text)


def flood(program: Program, request: Request) -> Flood:
    """Sends the request as often as it is answered. Raises RuntimeError when a single one is not refused, or not in the way that it should be."""
    check(request)
    run_wrk(request, WARM_UP)
    sample = Sample(request)
    timer = threading.Timer(SECONDS / 2, sample.take)
    before = program.processor_seconds()
    timer.start()
    report = run_wrk(request, SECONDS)
    used = program.processor_seconds() - before
    timer.join()
    sample.judge()
    check(request)
    if not 0 < report["requests"] == report["refused"] or report["broken"]:
        raise RuntimeError(f"{request.url} did not refuse all: {report}")
    seconds = report["seconds"]
    return Flood(report["requests"] / seconds, used / seconds, report["median"], report["p95"])


class Sample:
    """A check in the middle of a flood, made on another thread."""

    def __init__(self, request: Request):
        self.request, self.error = request, None

    def take(self):
        """Checks."""
        try:
            check(self.request)
        except Exception as error:  # noqa: BLE001 (raised again by judge)
            self.error = error

    def judge(self):
        """Raises what the check has raised."""
        if self.error:
            raise self.error


def run_wrk(request: Request, seconds: int) -> dict:
    """What wrk reports."""
    headers = [f"accept: {request.accept}", *request.headers]
    environment = dict(os.environ)
    method = "GET"
    if request.fields is not None:
        method = "POST"
        headers.append("content-type: application/x-www-form-urlencoded")
        environment["PEERS_BODY"] = urlencode(request.fields)
    arguments = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s", "-s", str(SCRIPT)]
    for header in headers:
        arguments += ["-H", header]
    arguments += [request.url, "--", str(request.addresses), method]
    ran = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"wrk failed:\n{ran.stdout}{ran.stderr}")
    return json.loads(ran.stdout.strip().splitlines()[-1])


def stay_in_minute():
    """Waits for the next minute of the clock, unless a flood still fits into this one."""
    needed = WARM_UP + SECONDS + 3
    left = 60 - time.time() % 60
    if left < needed:
        time.sleep(left + 0.1)
