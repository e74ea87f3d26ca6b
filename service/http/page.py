"""The page at /ui: its files, on ports that reach this machine alone."""

from pathlib import Path

from slipway.service.access.access import PAGE, Access
from slipway.service.errors import Refused
from slipway.service.exchange import Exchange

FOLDER = Path(__file__).parents[1] / "page"
_KINDS = {".html": b"text/html; charset=utf-8", ".css": b"text/css", ".js": b"text/javascript"}
# Nothing from elsewhere, nothing inline, and a form that can go nowhere: the key stays in the page's memory.
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


class Page:
    """Answers requests for the page's files, with 404 on ports that others reach."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._files = {path: FOLDER / (path.removeprefix("/ui").lstrip("/") or "index.html") for path in PAGE}

    async def __call__(self, exchange: Exchange) -> int:
        path = exchange.scope["path"]
        if not self._access.is_page(exchange):
            raise Refused(404, "not_found", f"{path}: no such path")
        file = self._files[path]
        exchange.headers += _HEADERS
        return await exchange.reply(200, file.read_bytes(), _KINDS[file.suffix])
