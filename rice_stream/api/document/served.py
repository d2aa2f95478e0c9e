"""`/openapi.json` answers with the whole document."""

from typing import Any

from fastapi import FastAPI


def install(app: FastAPI) -> None:
    """Have the document made with the first question: few ask, and the shapes of all answers take long to put together."""
    made: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not made:
            from rice_stream.api.document.building import document_of

            made.append(document_of(app))
        return made[0]

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI says that it is done
