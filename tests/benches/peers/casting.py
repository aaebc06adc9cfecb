"""Owns session casting as it is measured: how it is started and set, and how a visitor gets from a link to the app of a session."""

import html
import re
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from browser import JSON, Answer, Browser
from processes import Program

# What only the demo app's page contains, whoever serves it.
APP = 'id="pad"'
# How often a program asks whether its session is ready, in seconds.
PROGRAM_ASKS = 0.002


class Casting(Program):
    """`casting --memory` on a port of its own, as it is after its first start."""

    def __init__(self, executable: Path, folder: Path, *more: str):
        arguments = [str(executable), "--memory", "--port", "0", "--reach", "127.0.0.1", *more]
        super().__init__(arguments, folder / "casting.log")
        self.browser = Browser()
        self.wait_for_start(lambda: self._line("Admin key"), "it said where it is")
        self.url = self._line("Demo link").removesuffix("/cast/welcome")
        self.key = self._line("Admin key")

    def _line(self, label: str) -> str:
        found = re.search(rf"^ *{label} +(\S+)\s", self.said(), re.MULTILINE)
        return found[1] if found else ""

    def admin(self, method: str, path: str, document=None) -> dict:
        """What the administration API answers. Raises RuntimeError when it refuses."""
        url, headers = f"{self.url}/api/admin/{path}", [f"authorization: Bearer {self.key}"]
        if method == "GET":
            return self.browser.get(url, JSON, headers).expect(200).json()
        return self.browser.send(method, url, document, headers).expect(201 if method == "POST" else 200).json()

    def lift_limits(self):
        """Takes away the limits that a new stack has for its own protection, where they would be measured instead of it."""
        self.admin("PATCH", "settings", {"max_sessions": None, "attempts_per_minute": 100_000})

    def link(self, name: str, **settings) -> str:
        """Makes a link to the demo app for anyone, and gives its address."""
        images = self.admin("GET", "images")["items"]
        image = next(image["id"] for image in images if image["name"] == "Demo app")
        made = self.admin("POST", "casts", {"name": name, "image_id": image, "allow_anonymous": True, **settings})
        return made["url"]

    def keep_ready(self, count: int):
        """Has so many sessions started ahead, and waits until they are ready."""
        pool = self.admin("GET", "staging-configs")["items"][0]["id"]
        self.admin("PATCH", f"staging-configs/{pool}", {"desired_sessions": count})
        self.wait_until(lambda: self._settled(count), f"{count} sessions waited")

    def _settled(self, count: int) -> bool:
        pool = self.pool()
        return pool["ready"] == count and pool["starting"] == 0

    def places(self, link: str) -> Counter:
        """How many sessions of a link came from a pool (`assigned`), and how many found none there (`missed`)."""
        places, cursor = Counter(), ""
        while True:
            page = self.admin("GET", f"sessions?limit=100{cursor}")
            places.update((session["pool"] or {}).get("place") for session in page["items"] if session["cast_key"] == link.rpartition("/")[2])
            if not page["next"]:
                return places
            cursor = f"&cursor={quote(page['next'], safe='')}"

    def pool(self) -> dict:
        """How the one pool of a new stack stands."""
        pool = self.admin("GET", "staging-configs")["items"][0]["id"]
        return self.admin("GET", f"staging-configs/{pool}/pool")


def ticket(link: str, browser: Browser | None = None) -> str:
    """Opens a link and gives the launch ticket on its page."""
    page = (browser or Browser()).get(link).expect(200, 'name="ticket"')
    return html.unescape(re.search('name="ticket" value="([^"]+)"', page.body)[1])


def claim(browser: Browser, link: str) -> Answer:
    """Opens a link and claims a session, as its page does by itself; gives the session's page, or, when the session is ready, its viewer."""
    told = browser.post(f"{link}/claims", {"ticket": ticket(link, browser)}, headers=["casting-reply: location"]).expect(200, '"location"')
    origin = link.partition("/cast/")[0]
    return browser.get(origin + told.json()["location"]).expect(200)


def visit(link: str, as_page: bool = False) -> float:
    """Opens a link and goes on until the app answers; gives the seconds from the click to the app's first byte.

    The session's page asks for its state at times that the control plane sets (`as_page`); a program may ask more often.
    """
    with Browser() as browser:
        clicked = time.monotonic()
        page = claim(browser, link)
        if "data-questions=" in page.body:
            page = wait(browser, page, as_page)
        page.expect(200)
        if not page.url.endswith("/.cast/"):
            raise RuntimeError(f"{link} led to {page.url}, not to a session's viewer")
        app = browser.get(f"{page.url}app").expect(200, APP)
        return app.first_byte - clicked


def wait(browser: Browser, page: Answer, as_page: bool) -> Answer:
    """Asks for the state of a session until it is ready, and enters it."""
    began = time.monotonic()
    questions = [int(text) / 1000 for text in re.search('data-questions="([^"]+)"', page.body)[1].split(",")]
    # The page's script leaves out a question that is nearer than 0.1 s. Its jitter of a tenth is left out here.
    age = int(re.search('data-age="([^"]+)"', page.body)[1])
    questions = [question - age for question in questions if question > age + 0.1]
    while True:
        pause = PROGRAM_ASKS
        if as_page:
            pause = max(0.0, questions.pop(0) - (time.monotonic() - began))
        time.sleep(pause)
        state = browser.get(f"{page.url}/status", JSON).expect(200).json()["state"]
        if state == "ready":
            return browser.get(f"{page.url}/enter")
        if state not in ("reserved", "starting"):
            raise RuntimeError(f"{page.url} is {state}")
