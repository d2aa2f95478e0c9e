"""What `/admin` shows: from reports within the caller's scope, and from the settings of the server."""

from typing import Any

from rice_stream import __version__
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.issuing import LASTS_DAYS, OVERLAP_HOURS
from rice_stream.api.access.oidc.claims import ClaimRules
from rice_stream.api.access.rights import RIGHTS, Grant, Right
from rice_stream.api.console.drawing.differences import differences
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.admin_asked import AdminAsked, AdminForm
from rice_stream.api.product import Product
from rice_stream.api.reads.accounts import identified
from rice_stream.events.mappings import KINDS, SUBJECTS, WITHIN_TENANT
from rice_stream.instants import epoch_us, zone
from rice_stream.reference.sets.factor_set import DIGEST_SHOWN
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.checkpoints import checkpoint_health
from rice_stream.reports.erasures import erasures
from rice_stream.reports.factor_sets import factor_sets
from rice_stream.reports.mappings import mappings
from rice_stream.reports.meta import report_meta
from rice_stream.reports.system import system_report
from rice_stream.reports.tenants import tenants
from rice_stream.reports.tokens import tokens

_ENTRIES = 50
_TITLES = {
    "tokens": "Tokens",
    "audit": "Audit trail",
    "roles": "Roles and groups",
    "names": "Names",
    "factors": "Factors",
    "erasing": "Erasing",
    "system": "System",
}


def sections_of(caller: Caller) -> dict[str, str]:
    """Parts of the page that the caller has the right to, with their titles."""
    offered = {"audit", "roles"}
    if caller.may(Right.MANAGE_TOKENS):
        offered.add("tokens")
    if caller.scope(Right.READ).is_everything:
        offered |= {"names", "factors", "system"}
    if caller.scope(Right.ERASE).is_everything:
        offered.add("erasing")
    return {name: title for name, title in _TITLES.items() if name in offered}


class AdminFigures:
    """For one server: the rules of its provider's groups are those that it was started with."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._rules: ClaimRules | None = None
        file = product.settings.oidc_claims_file
        if file is not None and product.settings.oidc_issuer is not None:
            from rice_stream.api.access.oidc.claims_file import read_claim_rules  # YAML takes a while to load

            self._rules = read_claim_rules(file)

    def of(self, caller: Caller, asked: AdminAsked) -> Figures:
        """The section that was asked for, or the first one that the caller has the right to."""
        sections = sections_of(caller)
        section = asked.section if asked.section in sections else next(iter(sections))
        found: dict[str, Any] = {
            "tokens": self._tokens,
            "audit": self._trail,
            "roles": self._roles,
            "names": self._names,
            "factors": self._factors,
            "erasing": self._erasing,
            "system": self._system,
        }[section](caller, asked)
        return {**self.frame(asked), "sections": sections, "section": section, "form": None, **found}

    def entered(self, caller: Caller, form: AdminForm, section: str) -> Figures:
        """The section with what was sent, and not done."""
        asked = AdminAsked.model_validate({"section": section, "new": form.action == "make"})
        if form.action in ("rotate", "revoke") and form.id is not None and form.id.isdecimal():
            asked = asked.model_copy(update={form.action: int(form.id)})
        return {**self.of(caller, asked), "form": form}

    def frame(self, asked: AdminAsked | None = None) -> Figures:
        """In which time zone."""
        given = asked or AdminAsked()
        shown = given.time_zone or self._product.settings.report_time_zone
        zone(shown)
        return {"zone": shown, "asked": given, "meta": {"watermark": None, "versions": []}}

    def _tokens(self, caller: Caller, asked: AdminAsked) -> Figures:
        found = tokens(self._product.engine(), caller.scope(Right.MANAGE_TOKENS))[::-1]
        own = caller.grant(Right.MANAGE_TOKENS)
        chosen = {each["id"]: each for each in found}
        return {
            "rows": [each for each in found if asked.ended or each["state"] == "active"],
            "ended": sum(each["state"] != "active" for each in found),
            "rotating": chosen.get(asked.rotate),
            "revoking": chosen.get(asked.revoke),
            "roles": [role for role in RIGHTS if RIGHTS[role] <= RIGHTS[own.role]],
            "own": own,
            "tenants": [each["tenant_id"] for each in tenants(self._product.engine(), caller.scope(Right.READ))],
            "lasts_days": LASTS_DAYS,
            "overlap_hours": OVERLAP_HOURS,
        }

    def _trail(self, caller: Caller, asked: AdminAsked) -> Figures:
        found = audit_entries(
            self._product.engine(),
            self._product.scope(caller, Right.READ_AUDIT, asked.tenant),
            action=asked.action,
            actor=asked.actor,
            start=asked.from_,
            end=asked.to,
            time_zone=asked.time_zone or self._product.settings.report_time_zone,
            before=asked.before,
            limit=_ENTRIES,
        )
        return {
            "entries": [{**each, "differences": differences(each["before"], each["after"])} for each in found["rows"]],
            "next": found["next"],
            "signed": checkpoint_health(self._product.engine(), caller.scope(Right.READ_AUDIT), self._product.now()),
            "tenants": [each["tenant_id"] for each in tenants(self._product.engine(), caller.scope(Right.READ))],
        }

    def _roles(self, caller: Caller, _asked: AdminAsked) -> Figures:
        groups: dict[str, Grant] = {}
        if self._rules is not None and caller.scope(Right.READ_AUDIT).is_everything:
            groups = dict(self._rules.groups)
        return {
            "rights": [(right.value, {role: right in RIGHTS[role] for role in RIGHTS}) for right in Right],
            "roles": list(RIGHTS),
            "issuer": self._product.settings.oidc_issuer,
            "claim": None if self._rules is None else self._rules.claim,
            "groups": groups,
        }

    def _names(self, caller: Caller, _asked: AdminAsked) -> Figures:
        found = [identified(each) for each in mappings(self._product.engine(), caller.scope(Right.READ))]
        last = {each["id"]: each for each in found}
        return {
            "rows": [{**each, "holds": each is last[each["id"]]} for each in found],
            "kinds": KINDS if caller.scope(Right.WRITE).is_everything else WITHIN_TENANT,
            "subjects": SUBJECTS,
            "tenants": [each["tenant_id"] for each in tenants(self._product.engine(), caller.scope(Right.READ))],
        }

    def _factors(self, caller: Caller, _asked: AdminAsked) -> Figures:
        now_us = epoch_us(self._product.now())
        found = factor_sets(self._product.engine(), caller.scope(Right.READ), now_us=now_us)
        return {"rows": found[::-1], "built_in": self._product.built_in().version, "digits": DIGEST_SHOWN}

    def _erasing(self, caller: Caller, _asked: AdminAsked) -> Figures:
        return {
            "rows": erasures(self._product.engine(), caller.scope(Right.READ_AUDIT), limit=_ENTRIES),
            "tenants": [each["tenant_id"] for each in tenants(self._product.engine(), caller.scope(Right.READ))],
        }

    def _system(self, caller: Caller, _asked: AdminAsked) -> Figures:
        scope = caller.scope(Right.READ)
        return {
            "version": __version__,
            "system": system_report(self._product.engine(), scope),
            "basis": report_meta(self._product.engine(), scope, self._product.now()),
            "settings": self._product.settings,
        }
