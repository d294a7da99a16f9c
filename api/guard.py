"""Who may call from a browser, and what our pages may load (浏览器侧防护).

A page of another site that the operator has open can send requests to this server. It must not get further than
that: names that it could point at us (DNS rebinding), writes and live streams that come from its origin are
refused, and our own pages carry a policy that lets them load from this server alone.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data: blob:{basemap}; connect-src 'self' ws://{host} wss://{host}{basemap}; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
PAGE_HEADERS = {"Referrer-Policy": "no-referrer", "X-Frame-Options": "SAMEORIGIN"}
PLAIN = re.compile(r"[A-Za-z0-9.:\[\]-]{1,260}").fullmatch  # a host as it may stand in a policy
REFUSED = 1008  # WebSocket close code: policy violation


class Guard:
    """ASGI middleware.

    Parameters
    ----------
    app
        What is guarded.
    hosts
        Names with a dot that this server answers to. IP addresses, names of one label and `*.local` are always
        answered: no other site can own them.
    basemap
        Address of the basemap (XYZ or TileJSON), which pages may load from too; empty for none.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), basemap: str = "") -> None:
        self.app = app
        self.hosts = frozenset(h.lower() for h in hosts)
        self.sources = sources_of(basemap)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 421 (unknown name) or 403 (another site's page)."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not answers_to(host, self.hosts):
            detail = f"This server does not answer to the name {host[:100]!r}. Allow it with SANTU_HOSTS='[\"name\"]'."
            await self._refuse(421, "unknown-host", detail, scope, receive, send)
            return
        origin = headers.get("origin")
        writes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if origin is not None and writes and not self._same(origin, host):
            detail = (
                f"Pages of {origin[:100]!r} may not write here. Behind a proxy, name its host in SANTU_HOSTS."
            )
            await self._refuse(403, "foreign-origin", detail, scope, receive, send)
            return

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if answer.get("content-type", "").startswith("text/html"):
                    policy = POLICY.format(host=host, basemap=self.sources)
                    for name, value in {**PAGE_HEADERS, "Content-Security-Policy": policy}.items():
                        answer.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_policy)

    def _same(self, origin: str, host: str) -> bool:
        return urlsplit(origin).netloc.lower() == host.lower() or _name(origin) in self.hosts

    async def _refuse(
        self, status: int, code: str, detail: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "http":
            await problem(status, code, detail)(scope, receive, send)
            return
        await receive()  # the request to connect
        await send({"type": "websocket.close", "code": REFUSED, "reason": code})


def answers_to(host: str, hosts: Collection[str]) -> bool:
    """Whether a `Host` header names this server: see `Guard`; `hosts` in lower case."""
    name = _name(f"//{host}")
    if "." not in name or name in hosts or name.endswith((".local", ".localhost")):
        return bool(name)
    return _is_address(name)


def sources_of(basemap: str) -> str:
    """Write the places a basemap loads from as sources of a content security policy, with a space before each.

    `{s}` in the name of a host stands for any label; a TileJSON document names its tiles' hosts itself, so its
    whole scheme is allowed. Empty for an empty address, or one on this server.
    """
    parts = urlsplit(basemap)
    if not parts.netloc:
        return ""
    if parts.path.endswith(".json"):
        return f" {parts.scheme}:"
    first, _, rest = parts.netloc.partition(".")
    return (
        f" {parts.scheme}://{'*' if '{' in first else first}.{rest}" if rest else f" {parts.scheme}://{first}"
    )


def _name(address: str) -> str:
    """Host name in an address, lower case; empty where there is none or it is malformed."""
    try:
        parts = urlsplit(address)
        return parts.hostname or "" if PLAIN(parts.netloc) else ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
