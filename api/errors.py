"""From a domain error to an answer: application/problem+json (RFC 9457) with a stable `code`."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from geo import errors

log = logging.getLogger("santu")

STATUS: dict[type[errors.SantuError], int] = {
    errors.NotFoundError: 404,
    errors.UnknownNameError: 404,
    errors.ForbiddenError: 403,
    errors.PrivacyError: 422,
    errors.StoreBusyError: 503,
    errors.StoreError: 500,
    errors.CrsMismatchError: 422,
    errors.SantuError: 422,
}

CODES = {413: "too-large"}

MEDIA = "application/problem+json"


def problem(status: int, code: str, detail: str, **more: object) -> Response:
    """Return one problem document."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return Response(orjson.dumps(body | more, default=str), status, media_type=MEDIA)


def status_of(error: errors.SantuError) -> int:
    """HTTP status of a domain error: its own type's, or its nearest ancestor's."""
    return next(STATUS[t] for t in type(error).__mro__ if t in STATUS)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document; 5xx text is fixed, the detail goes to the log."""

    def domain(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.SantuError)  # noqa: S101  # registered for this type alone
        status = status_of(error)
        if status >= 500:
            log.error("%s: %s", type(error).__name__, error)
            return problem(status, error.code, "The store cannot be used just now; the log says why.")
        more: dict[str, Any] = {}
        if isinstance(error, errors.SchemaError):
            more["problems"] = [str(p) for p in error.problems[:100]]
        return problem(status, error.code, str(error), **more)

    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        faults = [
            {
                "where": ".".join(str(p) for p in e["loc"]),
                "message": e["msg"],
                "value": str(e.get("input"))[:200],
            }
            for e in error.errors()
        ]
        detail = "; ".join(f"{f['where']}: {f['message']}" for f in faults[:5])
        return problem(422, "bad-input", detail, problems=faults[:100])

    def plain(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        code = CODES.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        response = problem(error.status_code, code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    def unexpected(request: Request, error: Exception) -> Response:
        # the server logs the traceback
        log.error("unexpected %s at %s %s", type(error).__name__, request.method, request.url.path)
        return problem(500, "internal", "Something went wrong; the log says what.")

    app.add_exception_handler(errors.SantuError, domain)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unexpected)
