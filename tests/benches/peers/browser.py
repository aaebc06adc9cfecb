"""Owns a visitor's browser, as far as a measurement needs one: cookies, redirects and connections of its own. Must not know whom it visits."""

import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import pycurl

HTML = "text/html"
JSON = "application/json"
# How long one answer may take, in seconds.
LIMIT = 60


@dataclass
class Answer:
    """The last answer after all redirects."""

    status: int
    url: str
    body: str
    # When the first byte of the body came, by time.monotonic().
    first_byte: float

    def json(self):
        """The body as a document."""
        return json.loads(self.body)

    def expect(self, status: int, text: str = "") -> "Answer":
        """This answer, if it has this status and contains this text. Raises RuntimeError otherwise."""
        if self.status != status or text not in self.body:
            raise RuntimeError(f"{self.url} answered {self.status}, not {status} with {text!r}:\n{self.body[:1000]}")
        return self


class Browser:
    """A browser that nobody has used before. Loads pages, and none of their scripts, styles and pictures."""

    def __init__(self):
        self.curl = pycurl.Curl()
        self.curl.setopt(pycurl.COOKIEFILE, "")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.curl.close()

    def get(self, url: str, accept: str = HTML, headers: list[str] | None = None) -> Answer:
        """Loads an address and follows its redirects."""
        self.curl.setopt(pycurl.HTTPGET, 1)
        return self._perform(url, accept, headers or [])

    def post(self, url: str, fields: dict, accept: str = HTML, headers: list[str] | None = None) -> Answer:
        """Sends a form."""
        self.curl.setopt(pycurl.POSTFIELDS, urlencode(fields))
        return self._perform(url, accept, headers or [])

    def send(self, method: str, url: str, document, headers: list[str]) -> Answer:
        """Sends a JSON document."""
        self.curl.setopt(pycurl.POSTFIELDS, json.dumps(document))
        self.curl.setopt(pycurl.CUSTOMREQUEST, method)
        answer = self._perform(url, JSON, [*headers, f"content-type: {JSON}"])
        self.curl.unsetopt(pycurl.CUSTOMREQUEST)
        return answer

    def _perform(self, url: str, accept: str, headers: list[str]) -> Answer:
        body, first_byte = bytearray(), 0.0

        def take(piece: bytes):
            nonlocal first_byte
            first_byte = first_byte or time.monotonic()
            body.extend(piece)

        curl = self.curl
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [f"accept: {accept}", *headers])
        curl.setopt(pycurl.FOLLOWLOCATION, 1)
        curl.setopt(pycurl.MAXREDIRS, 20)
        curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
        curl.setopt(pycurl.TIMEOUT, LIMIT)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.WRITEFUNCTION, take)
        curl.perform()
        answered = curl.getinfo(pycurl.RESPONSE_CODE), curl.getinfo(pycurl.EFFECTIVE_URL)
        return Answer(*answered, body.decode(errors="replace"), first_byte or time.monotonic())
