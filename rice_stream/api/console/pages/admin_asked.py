"""What `/admin` may be asked, and what its forms hold."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from rice_stream.api.access.issuing import AskedToken
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.forms import Blank, PageForm, Text
from rice_stream.api.json_bodies import Body
from rice_stream.api.parameters import Moment, Name
from rice_stream.api.problems import ProblemError, invalid
from rice_stream.api.writes.accounts import MappingBody
from rice_stream.api.writes.erasures import ErasureBody
from rice_stream.api.writes.tokens import NewTokenBody, RotationBody
from rice_stream.events.mappings import WITHIN_TENANT

B = TypeVar("B", bound=Body)
Section = Literal["tokens", "audit", "roles", "names", "factors", "erasing", "system"]
_Id = Annotated[Annotated[int, Field(ge=1, lt=2**63)] | None, Blank]


class AdminAsked(PageParameters):
    """Which part of the page; `rotate` and `revoke` are ids of tokens, `before` that of an entry of the audit trail."""

    section: Annotated[Section | None, Blank] = None
    said: Annotated[Annotated[str, Field(max_length=300)] | None, Blank] = None
    rotate: _Id = None
    revoke: _Id = None
    new: bool = False
    ended: bool = False
    action: Annotated[Annotated[str, Field(max_length=100)] | None, Blank] = None
    actor: Annotated[Name | None, Blank] = None
    from_: Annotated[Moment | None, Blank] = Field(None, alias="from")
    to: Annotated[Moment | None, Blank] = None
    before: _Id = None


class AdminForm(PageForm):
    """One change. Lists of names are separated by commas."""

    action: Literal["make", "rotate", "revoke", "map", "unmap", "erase"]
    id: Text = None
    name: Text = None
    role: Text = None
    tenants: Text = None
    teams: Text = None
    expires_days: Text = None
    requests_per_s: Text = None
    concurrency: Text = None
    overlap_hours: Text = None
    kind: Text = None
    target: Text = None
    valid_from: Text = None
    tenant_id: Text = None
    subject: Text = None
    reason: Text = None
    confirm: Text = None

    def token(self) -> AskedToken:
        """What a token is to allow, within the limits of `POST /v1/tokens`. ProblemError 422: a field is not right."""
        given = {
            name: getattr(self, name) for name in ("name", "role", "expires_days", "requests_per_s", "concurrency")
        }
        tenants = "*" if self.tenants in (None, "*") else _names(self.tenants)
        return _shaped(
            NewTokenBody,
            {
                **{name: value for name, value in given.items() if value is not None},
                "tenants": tenants,
                "teams": _names(self.teams),
            },
        ).asked()

    def mapping(self) -> MappingBody:
        """What a name is to stand for. ProblemError 422: a field is not right."""
        names = ("kind", "name", "target", "valid_from", "tenant_id", "subject")
        given = {name: getattr(self, name) for name in names}
        if self.kind not in WITHIN_TENANT:
            # The form offers them for every kind.
            given |= {"tenant_id": None, "subject": None}
        return _shaped(MappingBody, given)

    def erasure(self) -> ErasureBody:
        """Who is erased. ProblemError 422: a field is not right; 400: the name was not written a second time."""
        name = self.tenant_id if self.kind == "tenant" else self.name
        if not name or self.confirm != name:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "confirm: write the name that is to be erased a second time")
        person = {} if self.kind not in ("user", "api_key") else {self.kind: name}
        return _shaped(ErasureBody, {"tenant_id": self.tenant_id, "reason": self.reason or "", **person})

    def overlap(self) -> float:
        """How long a token goes on beside its successor, in hours; the usual time where nobody says."""
        given = {} if self.overlap_hours is None else {"overlap_hours": self.overlap_hours}
        return _shaped(RotationBody, given).overlap_hours


def _names(text: str | None) -> list[str]:
    return [] if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _shaped(shape: type[B], given: Mapping[str, object]) -> B:
    """Texts of a form become numbers, as they do not in JSON."""
    try:
        return shape.model_validate(given, strict=False)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_context=False, include_input=False), "body") from None
