"""Which channels want what. Pure."""

from rice_stream.budgets.states import SEVERITIES, Severity, Transition, crossing_state
from rice_stream.channels.definition import RANK, Channel


def wants(channel: Channel, tenant_id: str, budget: str, severity: Severity) -> bool:
    """Whether an alert of the tenant's budget goes to the channel; `severity` as `routed_severity` says."""
    if RANK[severity] < RANK[channel.min_severity]:
        return False
    return sees_tenants(channel, frozenset({tenant_id})) and (not channel.budgets or budget in channel.budgets)


def sees_tenants(channel: Channel, tenants: frozenset[str] | None) -> bool:
    """Whether the channel takes alerts of all these tenants; None: of every tenant."""
    return channel.tenants is None or (tenants is not None and tenants <= channel.tenants)


def routed_severity(transition: Transition) -> Severity:
    """By which severity an alert is sent: that a threshold is left again goes where its crossing went."""
    if transition.state in ("warning", "exceeded"):
        return transition.severity
    # Early warnings have thresholds of their own, none of which is the limit.
    return SEVERITIES[crossing_state(transition.threshold) if transition.basis == "actual" else "warning"]
