"""Owns the one table that is printed: its rows, the goals, and how many times ours is as good."""

import os
import platform
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from hub import JUPYTERHUB, PROXY
from load import CONNECTIONS, THREADS, Flood
from processes import Memory

COLD_MS, STAGED_MS, LAUNCHES, REFUSALS, IDLE_MB = 15, 5, 100, 20_000, 40


class Latency:
    """How long visitors waited, in milliseconds."""

    def __init__(self, seconds: list[float]):
        times = sorted(1000 * time for time in seconds)
        self.median = statistics.median(times)
        self.p95 = times[round((len(times) - 1) * 0.95)]

    def __str__(self):
        return f"{self.median:.1f} / {self.p95:.1f} ms"


@dataclass
class Launches:
    """Launches a second, and how long each took."""

    rate: float
    latency: Latency

    def __str__(self):
        return f"{self.rate:.1f} a second; {self.latency}"


@dataclass
class Results:
    """All that is measured."""

    cold: Latency = None
    cold_page: Latency = None
    staged: Latency = None
    hub_click: Latency = None
    shell_click: Latency = None
    launches: Launches = None
    hub_launches: Launches = None
    shell_launches: Launches = None
    refusals: dict[str, Flood] = field(default_factory=dict)
    hub_refusals: Flood = None
    nginx_refusals: Flood = None
    idle: Memory = None
    idle_staged: Memory = None
    hub_idle: Memory = None
    shell_idle: Memory = None
    nginx_idle: Memory = None

    def table(self) -> str:
        """The table, in Markdown."""
        rows = [*self._clicks(), self._launches(), *self._refusals(), *self._memory()]
        head = ["figure", "session casting", "goal", "reached", "JupyterHub", "shellinabox", "nginx"]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])

    def _clicks(self) -> list[list[str]]:
        def row(name: str, ours: Latency, goal: float) -> list[str]:
            peers = [f"{peer} {times(peer.median / ours.median)}" for peer in (self.hub_click, self.shell_click)]
            return [f"click to first byte: {name}", str(ours), f"≤ {goal} ms", reached(ours.median <= goal), *peers, "–"]

        return [
            row("started for the visitor, who asks every 2 ms", self.cold, COLD_MS),
            row("started for the visitor, whose page asks", self.cold_page, COLD_MS),
            row("started ahead", self.staged, STAGED_MS),
        ]

    def _launches(self) -> list[str]:
        ours = self.launches
        peers = [f"{peer} {times(ours.rate / peer.rate)}" for peer in (self.hub_launches, self.shell_launches)]
        return ["launches, 16 visitors at once", str(ours), f"≥ {LAUNCHES} a second", reached(ours.rate >= LAUNCHES), *peers, "–"]

    def _refusals(self) -> list[list[str]]:
        def row(name: str, ours: Flood) -> list[str]:
            good = reached(ours.per_processor >= REFUSALS)
            peers = [f"{flood(peer)} {times(ours.per_processor / peer.per_processor)}" for peer in (self.hub_refusals, self.nginx_refusals)]
            return [f"refusals: {name}", flood(ours), f"≥ {REFUSALS:,} a core", good, peers[0], "–", peers[1]]

        return [row(name, ours) for name, ours in self.refusals.items()]

    def _memory(self) -> list[list[str]]:
        def row(name: str, ours: Memory) -> list[str]:
            peers = [f"{memory(peer)} {times(peer.pss / ours.pss)}" for peer in (self.hub_idle, self.shell_idle, self.nginx_idle)]
            return [f"memory at rest: {name}", memory(ours), f"≤ {IDLE_MB} MB", reached(ours.pss <= IDLE_MB), *peers]

        return [row("no session", self.idle), row("one session waits", self.idle_staged)]


def times(ratio: float) -> str:
    """How many times as good as the other ours is."""
    return f"({ratio:.0f} ×)" if ratio >= 100 else f"({ratio:.2g} ×)"


def reached(goal: bool) -> str:
    """Whether a goal is reached."""
    return "yes" if goal else "no"


def flood(one: Flood) -> str:
    """A flood in a cell."""
    return f"{one.rate:,.0f} a second on {one.processors:.2f} cores; {one.per_processor:,.0f} a core; {1000 * one.median:.2f} / {1000 * one.p95:.2f} ms"


def memory(one: Memory) -> str:
    """Memory in a cell."""
    return f"{one.pss:.1f} / {one.rss:.1f} MB; processes: {one.processes}"


def conditions(executable: Path) -> str:
    """Where and with what it is measured, as a paragraph."""

    def version(*command: str) -> str:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return (ran.stdout + ran.stderr).strip().splitlines()[0]

    others = f" {same} other processes run this program, which lowers its PSS." if (same := running(executable)) else ""
    load = os.getloadavg()[0]
    busy = " **The machine was busy: the figures mean little.**" if load > 0.5 else ""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, Linux {platform.release()}), load before the start {load:.2f}.{busy}{others} "
        f"{version(str(executable), '--version')} ({executable.stat().st_size / 1e6:.1f} MB), "
        f"JupyterHub {version(str(JUPYTERHUB), '--version')}, "
        f"configurable-http-proxy {version(str(PROXY), '--version')}, "
        f"{version('shellinaboxd', '--version')}, {version('/usr/sbin/nginx', '-v')}. "
        f"Floods: wrk, {THREADS} threads, {CONNECTIONS} connections. Cells: median / p95, "
        f"rates, PSS / RSS; in brackets how many times as good ours is by the median, the rate, the rate for each core used, or PSS.\n"
    )


def running(executable: Path) -> int:
    """How many processes run this program now."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += (process / "exe").resolve() == executable
        except OSError:
            continue
    return count
