"""Documentation of the API (接口文档), with Swagger UI from an installed package instead of a CDN."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from layers import assets

router = APIRouter(include_in_schema=False)

BLANK = "data:,"  # no icon: the browser asks for none


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Return the page that shows `/openapi.json`."""
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=request.app.title,
        swagger_js_url=root + assets.URL_BASE + assets.resolve("swagger-ui-bundle.js").name,
        swagger_css_url=root + assets.URL_BASE + assets.resolve("swagger-ui.css").name,
        swagger_favicon_url=BLANK,
    )
