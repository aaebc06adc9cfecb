"""Owns the order of the measurement: session casting beside what a user would pick instead, one after the other on this machine. Prints one table.

measure.py CASTING: run.sh calls it in the environment that it has made.
"""

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import casting
import hub
import shell
from browser import JSON, Browser
from casting import Casting
from hub import Hub
from limiter import Limiter
from load import Request, flood, forwarded, stay_in_minute
from processes import Memory, Program, adopt_orphans, kill_descendants
from shell import Shell
from table import Latency, Launches, Results, conditions

# Visitors of each kind, one after the other, and the pause between two of them, in seconds.
VISITORS, PAUSE = 30, 0.2
# Visitors before them who are not counted.
FIRST = 3
# Visitors at once, and launches in all.
AT_ONCE, LAUNCHES = 16, 160
# How long an answer may still come from what was known before a claim, in seconds (docs/limits.md).
CACHED = 5.5
# Rest before an idle program's memory is read, in seconds.
REST = 10
# Addresses that a flood comes from where one would soon be refused for another reason.
MANY = 4096
# Addresses that have used up what a link allows each.
SOME = 16
BEGAN = time.monotonic()
ATTEMPTS = "page of a disabled link, after too many attempts"


class Measurement:
    """What is measured, where, and what has come of it."""

    def __init__(self, executable: Path, folder: Path):
        self.executable, self.folder = executable, folder
        self.results = Results()

    def run(self):
        """Measures everything."""
        self.cold_and_staged()
        self.others_one_by_one()
        self.launches()
        self.refusals()
        self.idle()

    def casting(self, *more: str) -> Casting:
        """A new stack, without the limits that protect it."""
        stack = Casting(self.executable, self.folder, *more)
        try:
            stack.lift_limits()
        except BaseException:
            stack.stop()
            raise
        return stack

    def hub(self, server_limit: int = 0) -> Hub:
        """A new hub."""
        return Hub(self.executable, self.folder, server_limit)

    def cold_and_staged(self):
        """Visitors of session casting, one by one: with no session started ahead, and with enough of them."""
        with self.casting() as stack:
            link, staged = stack.link("Started for the visitor"), stack.link("Started ahead")
            stack.keep_ready(0)
            say("clicks: session casting, started for the visitor")
            self.results.cold = one_by_one(lambda: casting.visit(link))
            say("clicks: session casting, as its page asks")
            self.results.cold_page = one_by_one(lambda: casting.visit(link, as_page=True))
            say("clicks: session casting, started ahead")
            stack.keep_ready(FIRST + VISITORS)
            self.results.staged = one_by_one(lambda: casting.visit(staged))
            for each, place, count in ((link, "missed", 2), (staged, "assigned", 1)):
                if (places := stack.places(each)) != {place: count * (FIRST + VISITORS)}:
                    raise RuntimeError(f"sessions of {each} were {places}, not all {place}")

    def others_one_by_one(self):
        """Visitors of the others, one by one."""
        say("clicks: JupyterHub")
        with self.hub() as program:
            self.results.hub_click = one_by_one(lambda: hub.visit(program.url))
        say("clicks: shellinabox")
        with Shell(self.folder) as program:
            self.results.shell_click = one_by_one(lambda: shell.visit(program.url))

    def launches(self):
        """Visitors of each, sixteen at once."""
        say("launches: session casting")
        with self.casting() as stack:
            link = stack.link("Crowd")
            stack.keep_ready(0)
            self.results.launches = at_once(lambda: casting.visit(link))
        say("launches: JupyterHub")
        with self.hub() as program:
            self.results.hub_launches = at_once(lambda: hub.visit(program.url))
        say("launches: shellinabox")
        with Shell(self.folder) as program:
            self.results.shell_launches = at_once(lambda: shell.visit(program.url))

    def refusals(self):
        """Floods of requests that are refused."""
        # As behind a proxy that names each visitor's address.
        with self.casting("--behind-proxy") as stack:
            for name, request in refused_requests(stack):
                say(f"refusals: session casting, {name}")
                if name == ATTEMPTS:
                    self.use_up_attempts(stack, request)
                self.results.refusals[name] = flood(stack, request)
        say("refusals: JupyterHub")
        with self.hub(server_limit=1) as program:
            hub.visit(program.url)
            cookies = hub.refused_cookies(program.url)
            request = Request(f"{program.url}/hub/spawn", 429, hub.LIMITED, headers=[f"cookie: {cookies}"])
            self.results.hub_refusals = flood(program, request)
        say("refusals: nginx")
        with Limiter(self.folder) as program:
            with Browser() as browser:
                browser.get(program.url)
            self.results.nginx_refusals = flood(program, Request(program.url, 429, "429 Too Many Requests"))

    def use_up_attempts(self, stack: Casting, request: Request):
        """Sets the limit that a new stack has, and uses up what an address may try in this minute."""
        stack.admin("PATCH", "settings", {"attempts_per_minute": 120})
        stay_in_minute()
        with Browser() as browser:
            for _ in range(121):
                browser.get(request.url, headers=[forwarded(1)])

    def idle(self):
        """Memory of each as it is after its start."""
        say("idle: session casting")
        with Casting(self.executable, self.folder) as stack:
            stack.wait_until(lambda: stack.pool()["ready"] == 1, "its first session waited")
            self.results.idle_staged = rested(stack)
            stack.keep_ready(0)
            self.results.idle = rested(stack)
        say("idle: JupyterHub")
        with self.hub() as program:
            self.results.hub_idle = rested(program)
        say("idle: shellinabox")
        with Shell(self.folder) as program:
            self.results.shell_idle = rested(program)
        say("idle: nginx")
        with Limiter(self.folder) as program:
            self.results.nginx_idle = rested(program)


def refused_requests(stack: Casting) -> list[tuple[str, Request]]:
    """Links that refuse, each for its reason, with a request that is refused for it."""
    used_up = stack.link("Used up", limit_total_sessions=True, sessions_remaining=1)
    by_address = stack.link("By address", limit_requests_per_ip=True, sessions_allowed=1, within_seconds=86_400)
    disabled = stack.link("Disabled", enabled=False)
    late = {"ticket": casting.ticket(used_up)}
    claim_as(used_up, 1)
    for number in range(1, SOME + 1):
        claim_as(by_address, number)
    again = {"ticket": casting.ticket(by_address)}
    time.sleep(CACHED)
    return [
        ("page of a link that is used up", Request(used_up, 410, "All sessions are taken")),
        ("claim of a link that is used up", Request(f"{used_up}/claims", 410, "no-sessions-left", late, JSON, addresses=MANY)),
        ("claim over a link's limit of an address", Request(f"{by_address}/claims", 429, "ip-limit", again, JSON, addresses=SOME)),
        ("page of a disabled link", Request(disabled, 404, "This link does not work", addresses=MANY)),
        (ATTEMPTS, Request(disabled, 429, "Too many attempts")),
    ]


def claim_as(link: str, number: int):
    """Claims a session from the address with this number."""
    with Browser() as browser:
        fields = {"ticket": casting.ticket(link)}
        browser.post(f"{link}/claims", fields, JSON, [forwarded(number)]).expect(202, "session_id")


def one_by_one(visit: Callable[[], float]) -> Latency:
    """Visitors one after the other."""
    times = []
    for _ in range(FIRST + VISITORS):
        times.append(visit())
        time.sleep(PAUSE)
    return Latency(times[FIRST:])


def at_once(visit: Callable[[], float]) -> Launches:
    """Visitors on as many threads, until all launches are made. Raises what the first failed visit raised."""
    visit()
    left, times, errors = iter(range(LAUNCHES)), [], []
    lock = threading.Lock()

    def visitor():
        while not errors:
            with lock:
                if next(left, None) is None:
                    return
            try:
                times.append(visit())
            except Exception as error:  # noqa: BLE001 (raised again below)
                errors.append(error)

    threads = [threading.Thread(target=visitor, daemon=True) for _ in range(AT_ONCE)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Launches(LAUNCHES / (time.monotonic() - began), Latency(times))


def rested(program: Program) -> Memory:
    """The memory of a program that has rested."""
    time.sleep(REST)
    return program.memory()


def say(text: str):
    """What is done now, after how many seconds."""
    print(f"{time.monotonic() - BEGAN:4.0f} s  {text}", file=sys.stderr, flush=True)


def end(*_):
    """Ends as Ctrl-C does, so that everything is cleaned up."""
    raise KeyboardInterrupt


def main():
    """Measures and prints. Nothing that was started is left, however it ends."""
    executable = Path(sys.argv[1]).resolve()
    # Also where a shell has started this in the background, with SIGINT ignored.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, end)
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        measurement = Measurement(executable, Path(folder))
        try:
            before = conditions(executable)
            measurement.run()
        finally:
            kill_descendants()
    print(before)
    print(measurement.results.table())


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("ended before all was measured")
    except RuntimeError as error:
        sys.exit(f"not measured: {error}")
