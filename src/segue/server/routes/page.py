"""The web page: static files of this package, as they are."""

from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from segue.server.http.errors import ApiError

router = APIRouter(include_in_schema=False)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is served; other files of the folder are not."""


def folder() -> Path:
    """Where the page's files lie."""
    return Path(str(resources.files("segue.server"))) / "page"


@router.get("/", response_class=FileResponse)
async def index(request: Request) -> Response:
    """Get the web page: of a review where there is one, else of conversations."""
    is_review = getattr(request.app.state, "review", None) is not None
    return _file("review.html" if is_review else "index.html", request)


@router.get("/video", response_class=FileResponse)
async def video(request: Request) -> Response:
    """Get the web page of films."""
    return _file("video.html", request)


@router.get("/page/{path:path}", response_class=FileResponse)
async def file(path: str, request: Request) -> Response:
    """Get a file of the web page."""
    return _file(path, request)


@router.get("/favicon.ico", response_class=FileResponse)
async def icon(request: Request) -> Response:
    """Get the icon of the web page."""
    return _file("icon.svg", request)


def _file(path: str, request: Request) -> Response:
    root = folder().resolve()
    parts = path.split("/")
    is_hidden = any(part.startswith(".") or part in ("", "..") for part in parts)
    file = (
        root.joinpath(*parts) if not is_hidden and "\\" not in path and "\0" not in path else root
    )
    kind = _TYPES.get(file.suffix)
    if kind is None or not file.is_file() or root not in file.resolve().parents:
        raise ApiError(404, "not_found", f"There is no file {path[:200]!r}.")
    response = FileResponse(file, media_type=kind, headers=HEADERS)
    response.set_stat_headers(file.stat())
    if request.headers.get("if-none-match") == response.headers["etag"]:
        return Response(status_code=304, headers={**HEADERS, "ETag": response.headers["etag"]})
    return response
