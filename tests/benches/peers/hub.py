"""Owns JupyterHub as it is measured: how it is started, and how a visitor gets from its address to the app of a server of their own."""

import json
import os
import re
import sys
import time
from pathlib import Path
from urllib.parse import urljoin

import pycurl

from browser import Answer, Browser
from casting import APP
from processes import Program, answers, free_ports

HERE = Path(__file__).parent
JUPYTERHUB = Path(sys.prefix) / "bin/jupyterhub"
# What its page says when all servers are taken.
LIMITED = "Active user limit exceeded"
PROXY = HERE / "node_modules/.bin/configurable-http-proxy"


class Hub(Program):
    """JupyterHub with temporary users, its proxy, and the demo app of `casting` in place of a notebook server."""

    def __init__(self, executable: Path, folder: Path, server_limit: int = 0):
        public, hub, proxy = free_ports(3)
        app = folder / "demo-app"
        app.unlink(missing_ok=True)
        # The program is the demo app when it is called by this name.
        app.symlink_to(executable)
        settings = {
            "bind_url": f"http://127.0.0.1:{public}",
            "hub_bind_url": f"http://127.0.0.1:{hub}",
            "proxy_url": f"http://127.0.0.1:{proxy}",
            "proxy": str(PROXY),
            "app": str(app),
            "homes": str(folder / "homes"),
            "server_limit": server_limit,
        }
        arguments = [str(JUPYTERHUB), "--config", str(HERE / "jupyterhub_config.py")]
        environment = {**os.environ, "PEERS_SETTINGS": json.dumps(settings)}
        for old in ("jupyterhub.sqlite", "jupyterhub_cookie_secret"):
            (folder / old).unlink(missing_ok=True)
        super().__init__(arguments, folder / "hub.log", cwd=folder, env=environment)
        self.url = settings["bind_url"]
        self.wait_for_start(lambda: "JupyterHub is now running" in self.said() and answers(public), "it ran")


def visit(url: str) -> float:
    """Opens the hub's address and goes on until the app answers; gives the seconds from the click to the app's first byte."""
    with Browser() as browser:
        clicked = time.monotonic()
        app = open_hub(browser, url).expect(200, APP)
        return app.first_byte - clicked


def open_hub(browser: Browser, url: str) -> Answer:
    """Opens the hub's address. Its redirects wait up to a second for the app; then its page listens to a stream of events and loads itself again."""
    page = browser.get(url)
    while stream := re.search(r'EventSource\("([^"]+)"\)', page.body):
        # The stream ends when the app is ready.
        events = browser.get(urljoin(page.url, stream[1]), "text/event-stream").expect(200)
        if '"ready": true' not in events.body:
            raise RuntimeError(f"no server was started:\n{events.body[-1000:]}")
        page = browser.get(page.url)
    return page


def refused_cookies(url: str) -> str:
    """The cookies of a user who has logged in and finds all servers taken, as one header."""
    with Browser() as browser:
        browser.get(url).expect(429, LIMITED)
        cookies = (line.split("\t") for line in browser.curl.getinfo(pycurl.INFO_COOKIELIST))
        return "; ".join(f"{cookie[5]}={cookie[6]}" for cookie in cookies)
