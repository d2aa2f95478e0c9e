"""Answers about channels and deliveries."""

from pydantic import Field

from rice_stream.api.document.shapes import Answer, Rows


class QuietHoursShown(Answer):
    """When nothing is sent; what is less severe than `breaks_through` is held, and told of in one digest at the end."""

    start: str
    end: str
    time_zone: str
    breaks_through: str | None


class DeliveryCounts(Answer):
    """How many deliveries are in each state; of `kafka`, alerts."""

    held: int
    due: int
    sending: int
    done: int
    failed: int
    dead: int


class Channel(Answer):
    """Where alerts are sent, which, and how it fares. `id` and `created_at` are null of `kafka`, which is always there."""

    id: int | None
    name: str
    type: str
    state: str
    target: str = Field(description="What may be shown of the address")
    tenants: list[str] | str
    budgets: list[str]
    min_severity: str
    quiet_hours: QuietHoursShown | None
    remind_every_s: int | None
    statements: bool
    failing_since: str | None
    last_done_at: str | None
    last_error: str | None
    deliveries: DeliveryCounts
    held_until: str | None
    created_at: str | None
    updated_at: str | None


class SetChannel(Channel):
    """A channel as it was set."""

    secret: str | None = Field(None, description="The key that was made for it; in this answer only")


class Delivery(Answer):
    """What is sent to a channel, and what became of it. `budget`, `threshold`, `alert_state`, `basis`: of its alert, if any.

    `told_by`: of what was held over quiet hours, the id of the digest that tells of it.
    """

    id: int
    alert_id: str | None
    channel_id: int
    channel: str
    kind: str
    state: str
    tenant_id: str | None
    severity: str | None
    budget: str | None
    threshold: float | None
    alert_state: str | None
    basis: str | None
    message_id: str
    attempts: int
    next_at: str | None
    answered_status: int | None
    answer_head: str | None
    problem: str | None
    created_at: str
    first_tried_at: str | None
    ended_at: str | None
    told_by: int | None


class ResentDeliveries(Rows[Delivery]):
    """Those that were named, or the first 1,000 of what is sent again. `left`: of channels that are gone or disabled."""

    resent: int
    left: int
