"""GET /v1/checkpoints and /v1/audit/{entry_id}/proof: what was signed of the audit trail, and proof that an entry is in it."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Page, Parameters, RowId
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.audit_proofs import audit_proof
from rice_stream.reports.checkpoints import checkpoint_page

_PATH = "/v1/checkpoints"
_Auditor = Annotated[Caller, Depends(needs(Right.READ_AUDIT))]


class CheckpointParameters(Page):
    """Which checkpoints."""

    kind: Literal["audit", "month"] | None = Field(None, description="Of the audit trail, or of closed months")


class ProofParameters(Parameters):
    """From where on."""

    since: RowId | None = Field(
        None, description="Size of a checkpoint that you have: the proof also shows that the trail goes on from it"
    )


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get(_PATH, summary="Signed checkpoints of the audit trail and of closed months, latest first", tags=["access"])
    async def _checkpoints(asked: Annotated[CheckpointParameters, Query()], caller: _Auditor) -> dict[str, Any]:
        return await paged(product, caller, _PATH, asked, partial(_page, product, caller, asked))

    @app.get("/v1/audit/{entry_id}/proof", summary="Proof that an entry is in the audit trail", tags=["access"])
    async def _proof(entry_id: RowId, asked: Annotated[ProofParameters, Query()], caller: _Auditor) -> dict[str, Any]:
        scope = caller.scope(Right.READ_AUDIT)
        return await product.ask(lambda: audit_proof(product.engine(), scope, entry_id, since=asked.since))


def _page(product: Product, caller: Caller, asked: CheckpointParameters, after: bytes | None) -> dict[str, Any]:
    scope = caller.scope(Right.READ_AUDIT)
    return checkpoint_page(product.engine(), scope, after=after, limit=asked.limit, kind=asked.kind)
