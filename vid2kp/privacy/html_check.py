"""Checks the report page: it holds text and vector graphics, and refers to nothing outside.

A raster picture could show anything, so there is none; what the report draws, it draws as SVG.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from vid2kp.privacy.finding import NotAllowed

_NO_PLACE: Final = {
    "applet", "audio", "base", "embed", "feimage", "form", "foreignobject", "frame", "frameset",
    "iframe", "image", "img", "input", "link", "metadata", "object", "picture", "portal", "source",
    "track", "video",
}  # fmt: skip
_REFERENCES: Final = {
    "action", "background", "cite", "data", "formaction", "href", "longdesc", "manifest", "ping",
    "poster", "src", "srcdoc", "srcset", "xlink:href",
}  # fmt: skip
_POLICY: Final = "content-security-policy"
_META: Final = {"viewport", "color-scheme", "robots", "referrer"}
_OUTSIDE: Final = re.compile(
    r"(?:https?|ftp|file|wss?|blob):\S|data:\s*(?:[a-z]+/|[;,])|@import|@font-face|image-set\s*\("
    r"|\burl\(\s*['\"]?[^#'\"]",
    re.I,
)
# What a script would load or send something with, or paint a raster picture.
_REACHING: Final = re.compile(
    r"\b(?:fetch|import|importScripts|Image|Worker|eval|Function)\s*\("
    r"|XMLHttpRequest|WebSocket|WebTransport|EventSource|RTCPeerConnection|sendBeacon"
    r"|drawImage|putImageData|createImageData|ImageBitmap|atob\s*\(|window\s*\.\s*open"
)
_NAMESPACE: Final = re.compile(r"http://www\.w3\.org/[0-9a-z/]+", re.I)


def check_html(path: Path) -> None:
    """Checks a report page against the allow-list.

    Raises:
        NotAllowed: it holds something that is not on the list.
        OSError: it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise NotAllowed("bytes that are no text") from None
    if re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        raise NotAllowed("control characters")
    page = _Page()
    page.feed(text)
    page.close()


class _Page(HTMLParser):
    """Raises `NotAllowed` at the first thing that is not on the list."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NO_PLACE:
            raise NotAllowed("an element that can hold or load a picture or a file")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("xmlns"):
            if not _NAMESPACE.fullmatch(value):
                raise NotAllowed("a namespace that is none of SVG")
        elif name in _REFERENCES and not value.startswith("#"):
            raise NotAllowed("a reference to something outside of the page")
        elif tag == "meta" and name == "http-equiv" and value.lower() != _POLICY:
            raise NotAllowed("a meta element that could load something else")
        elif tag == "meta" and name == "name" and value.lower() not in _META:
            raise NotAllowed("a meta element that could tell an author or a date")
        elif _OUTSIDE.search(value):
            raise NotAllowed("a reference to something outside of the page")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and _OUTSIDE.search(_NAMESPACE.sub("", data)):
            raise NotAllowed("a script or style that refers to something outside of the page")
        if self.cdata_elem == "script" and _REACHING.search(data):
            raise NotAllowed("a script that could load or send something, or paint a picture")

    def handle_comment(self, data: str) -> None:
        raise NotAllowed("a comment, which no reader shows")

    def handle_pi(self, data: str) -> None:
        raise NotAllowed("a processing instruction")

    def unknown_decl(self, data: str) -> None:
        raise NotAllowed("a declaration")

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            raise NotAllowed("a declaration")
