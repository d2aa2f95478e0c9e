"""Whose data a reader may see: the argument that every function takes which reads records, totals, budgets or alerts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """`tenants` None: every tenant, and what belongs to none of them; `teams` empty: every team of these tenants."""

    tenants: frozenset[str] | None = None
    teams: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.tenants is None and not self.teams

    def has_tenant(self, tenant_id: str) -> bool:
        """Whether anything of the tenant may be seen."""
        return self.tenants is None or tenant_id in self.tenants

    def has_team(self, team_id: str | None) -> bool:
        """Whether what a team was charged for may be seen; None: what no team was."""
        return not self.teams or team_id in self.teams

    def within(self, tenant_id: str | None) -> "Scope":
        """What of it is one tenant's; None: all of it."""
        if tenant_id is None:
            return self
        return Scope(frozenset({tenant_id}) if self.has_tenant(tenant_id) else frozenset(), self.teams)


EVERYTHING = Scope()
"""What the command line sees: it holds the database's own credentials."""
