"""Owns shellinabox as it is measured: how it is started, and how a visitor gets from its page to the first output of a shell of their own."""

import grp
import os
import pwd
import time
from pathlib import Path

from browser import JSON, Browser
from processes import Program, answers, free_ports


class Shell(Program):
    """shellinabox with one service: /bin/sh as this user, without a login."""

    def __init__(self, folder: Path):
        [port] = free_ports(1)
        user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        service = f"/:{user}:{group}:/:/bin/sh"
        arguments = ["shellinaboxd", "--disable-ssl", "--localhost-only", "--quiet", "--port", str(port), "--service", service]
        super().__init__(arguments, folder / "shell.log", cwd=folder)
        self.url = f"http://127.0.0.1:{port}/"
        self.wait_for_start(lambda: answers(port), "it ran")


def visit(url: str) -> float:
    """Opens the page and a shell, as the page's script does; gives the seconds from the click to the shell's first output."""
    size = {"width": 80, "height": 24}
    with Browser() as browser:
        clicked = time.monotonic()
        browser.get(url).expect(200, "ShellInABox")
        opened = browser.post(url, {**size, "rooturl": url}, JSON).expect(200, '"session"').json()
        # Each question is answered when there is output.
        answer = browser.post(url, {**size, "session": opened["session"]}, JSON).expect(200, '"data":"')
        if answer.json()["data"].strip() not in ("#", "$"):
            raise RuntimeError(f"no prompt of a shell, but {answer.body}")
        return answer.first_byte - clicked
