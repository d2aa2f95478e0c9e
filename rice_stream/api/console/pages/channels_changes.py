"""What is done by the forms of `/channels`: what the API's routes do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.console.pages.channels_asked import ChannelForm
from rice_stream.api.etags import check_seen
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.writes.channels import (
    ResendBody,
    answer_resend,
    change_channel,
    drop_channel,
    make_channel,
    try_channel,
)
from rice_stream.instants import day_start, epoch_us, rfc3339, zone
from rice_stream.store.audit import Actor


@dataclass(frozen=True, slots=True)
class Done:
    """What to say, or which delivery to look at; `new_key` is shown once, and never part of a text of this value."""

    said: str | None = None
    delivery: int | None = None
    new_key: str | None = None

    def __repr__(self) -> str:
        return f"Done({self.said!r}, {self.delivery!r})"


def do(product: Product, caller: Caller, form: ChannelForm, by: Actor) -> Done:
    """The change. ProblemError, RiceError: it was not made, and why."""
    if form.action == "resend":
        return _resent(product, caller, form, by)
    name, check = form.name or "", partial(check_seen, {form.seen or ""})
    if form.action == "test":
        return Done(delivery=try_channel(product, caller, name, form.of, by)["id"])
    if form.action == "remove":
        drop_channel(product, caller, name, form.of, by, check)
        return Done(f"The channel “{name}” is removed. What became of its deliveries stays in the list.")
    if form.action == "make":
        return Done(f"The channel “{name}” is set.", new_key=_made(product, caller, form, by).get("secret"))
    changed = change_channel(product, caller, form.asked(), form.of, by, check)
    return Done(f"The channel “{name}” is changed.", new_key=changed.get("secret"))


def _made(product: Product, caller: Caller, form: ChannelForm, by: Actor) -> dict[str, Any]:
    try:
        return make_channel(product, caller, form.asked(), by)
    except ProblemError as error:
        if error.status is not HTTPStatus.CONFLICT:
            raise
        detail = "name: there is a channel of this name already; open it to change it"
        raise ProblemError(error.status, detail) from error


def _resent(product: Product, caller: Caller, form: ChannelForm, by: Actor) -> Done:
    if form.id is not None:
        if not answer_resend(product, caller, ResendBody(ids=[form.id]), by)["resent"]:
            detail = f"id: {form.id} cannot be sent again: its channel is gone or disabled, or it waits for its turn"
            raise ProblemError(HTTPStatus.CONFLICT, detail)
        return Done(delivery=form.id)
    if form.since is None:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "since: from when on?", slug="invalid-parameters")
    since = form.since
    if not isinstance(since, datetime):
        since = day_start(since, zone(form.zone or product.settings.report_time_zone))
    asked = ResendBody(since=rfc3339(epoch_us(since.astimezone(UTC))), channel=form.name)
    done = answer_resend(product, caller, asked, by)
    said = f"{done['resent']} {'delivery is' if done['resent'] == 1 else 'deliveries are'} sent again now"
    left = f"; {done['left']} not, because the channel is gone or disabled" if done["left"] else ""
    return Done(f"{said}{left}.")
