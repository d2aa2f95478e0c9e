"""Style sheet, scripts and icon: files beside this module, each under the digest of its content, kept for a year by browsers."""

import gzip
import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, Request, Response

from rice_stream.api.problems import not_found

FOLDER = Path(__file__).parent / "static"
PATH = "/static/{digest}/{name:path}"
"""Open to anybody: the same for all, and the sign-in page needs them."""
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_DIGEST_DIGITS = 12


class Asset(NamedTuple):
    """One file as it is sent."""

    address: str
    media_type: str
    content: bytes
    packed: bytes


class Assets:
    """All of them, read once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(path for path in folder.rglob("*") if path.suffix in _MEDIA_TYPES)
        self._by_name = {path.relative_to(folder).as_posix(): _asset(path, folder) for path in files}

    def address(self, name: str) -> str:
        """Where a page finds it. KeyError: a mistake of ours, there is no such file."""
        return self._by_name[name].address

    def install(self, app: FastAPI) -> None:
        """Add the route."""

        @app.get(PATH, include_in_schema=False)
        async def _static(digest: str, name: str, request: Request) -> Response:
            found = self._by_name.get(name)
            if found is None or found.address != f"/static/{digest}/{name}":
                raise not_found("there is no such file; load the page again")
            headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
            headers["X-Content-Type-Options"] = "nosniff"
            # The same bytes for everybody: nothing can be guessed from how well they pack.
            if "gzip" in request.headers.get("accept-encoding", ""):
                return _answer(found.packed, found.media_type, {**headers, "Content-Encoding": "gzip"})
            return _answer(found.content, found.media_type, headers)


def _answer(content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    return Response(content, HTTPStatus.OK, headers, media_type)


def _asset(path: Path, folder: Path) -> Asset:
    content = path.read_bytes()
    name = path.relative_to(folder).as_posix()
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS]
    return Asset(f"/static/{digest}/{name}", _MEDIA_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
