"""Owns the processes of a measurement: how one is started, what its tree has used, and that nothing is left of it. Must not know what it serves."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
# How long a program may take to end before it is killed, in seconds.
PATIENCE = 10


@dataclass
class Memory:
    """Of a tree, in MB (1,000,000 bytes). PSS counts a page that n processes share as an nth for each."""

    pss: float
    rss: float
    processes: int


class Program:
    """A program with its children, which ends with the `with` block."""

    def __init__(self, arguments: list[str], log: Path, **settings):
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Asks the program to end, as Ctrl-C on a terminal does not reach it, and kills what is left of its tree."""
        left = tree(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        kill([pid for pid in left if pid != self.process.pid and parent(pid) in (os.getpid(), *left)])

    def said(self) -> str:
        """What it has printed until now."""
        return self.log.read_text(errors="replace")

    def wait_until(self, condition, what: str, seconds: float = 60):
        """What the condition gives, once that is true.

        Raises RuntimeError when the program ends before, or takes too long.
        """
        until = time.monotonic() + seconds
        while not (result := condition()):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args[0]} ended before {what}:\n{self.said()[-2000:]}")
            if time.monotonic() > until:
                raise RuntimeError(f"{self.process.args[0]}: {what} took longer than {seconds} s:\n{self.said()[-2000:]}")
            time.sleep(0.02)
        return result

    def wait_for_start(self, condition, what: str):
        """Waits until the program has started, and ends it where it has not: no `with` block does that yet.

        Raises RuntimeError as wait_until does.
        """
        try:
            self.wait_until(condition, what)
        except BaseException:
            self.stop()
            raise

    def processor_seconds(self) -> float:
        """User and system time of the tree, and of what has ended in it."""
        return sum(processor_ticks(pid) for pid in tree(self.process.pid)) / TICKS

    def memory(self) -> Memory:
        """What the tree has in memory now."""
        pss = rss = 0
        pids = tree(self.process.pid)
        for pid in pids:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, *rest = line.split()
                pss += int(rest[0]) if name == "Pss:" else 0
                rss += int(rest[0]) if name == "Rss:" else 0
        return Memory(pss * 1024 / 1e6, rss * 1024 / 1e6, len(pids))


def adopt_orphans():
    """Makes this process the parent of descendants whose own parents end, so that `kill_descendants` finds them."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")


def kill_descendants():
    """Kills and reaps every descendant of this process, until there is none."""
    while left := [pid for pid in tree(os.getpid()) if pid != os.getpid()]:
        kill(left)
        time.sleep(0.02)


def kill(pids: list[int]):
    """Kills these processes, and reaps those that are children of this one."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may contain spaces; empty once the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def parent(pid: int) -> int | None:
    """The parent's id, unless the process is gone."""
    fields = stat(pid)
    return int(fields[1]) if fields else None


def processor_ticks(pid: int) -> int:
    """User and system time of a process and of its children that it has reaped."""
    return sum(int(ticks) for ticks in stat(pid)[11:15])


def tree(root: int) -> list[int]:
    """The ids of a process and of its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (above := parent(int(entry))) is not None:
            children.setdefault(above, []).append(int(entry))
    found, open_ends = [], [root]
    while open_ends:
        pid = open_ends.pop()
        found.append(pid)
        open_ends.extend(children.get(pid, []))
    return found


def free_ports(count: int) -> list[int]:
    """As many ports of loopback as are free now, drawn by the system."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(port: int) -> bool:
    """Whether somebody listens at this port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
