"""What is kept beside an exported file: all that it takes to make it again, and by what it is known that it is the same. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, parse_instant, rfc3339
from rice_stream.reports.exports.exported import Grounds
from rice_stream.reports.exports.kinds import check_options, form_of
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder
from rice_stream.reports.month_uses import digest_of_uses, versions_of_uses
from rice_stream.store.scope import Scope

FORMAT = "rice-stream export 1"
_OLD_AND_NEW = ("scope", "window", "rests_on", "factors_sha256", "totals", "made_with")
"""What is compared of two manifests besides the digests."""


def manifest_of(
    order: ExportOrder,
    scope: Scope,
    grounds: Grounds,
    file: Mapping[str, Any],
    content_sha256: str,
    made_with: Mapping[str, str],
) -> dict[str, Any]:
    """`file` is `{"name", "rows", "bytes", "sha256"}`, `made_with` the versions that may change bytes and not what they say."""
    uses = list(grounds.uses)
    return {
        "manifest": FORMAT,
        "query": {
            "kind": order.kind,
            "tenant_id": order.tenant,
            "month": order.month,
            "format": order.form,
            "options": order.options.given,
        },
        "scope": {"tenants": [order.tenant], "teams": sorted(scope.teams)},
        "as_of": rfc3339(grounds.as_of_us),
        "window": grounds.stretch.window,
        "period": grounds.stretch.told,
        "rests_on": versions_of_uses(uses),
        "factors_sha256": digest_of_uses(uses),
        # As text: micrograms of a year may be more than a double holds exactly.
        "totals": {name: str(value) for name, value in grounds.totals.items()},
        "file": dict(file),
        "content_sha256": content_sha256,
        "made_with": dict(made_with),
    }


def order_of(text: str) -> tuple[ExportOrder, Scope, dict[str, Any]]:
    """What a manifest says was asked, within which scope, and the manifest. UsageError: it is none."""
    try:
        manifest = json.loads(text)
        if manifest["manifest"] != FORMAT:
            raise UsageError(f"manifest: {manifest['manifest']!r} is not {FORMAT!r}, which this version reads")
        query, scope = manifest["query"], manifest["scope"]
        order = ExportOrder(
            kind=query["kind"],
            tenant=query["tenant_id"],
            month=query["month"],
            form=form_of(query["kind"], query["format"]),
            options=ExportOptions.of(query["options"]),
            as_of_us=epoch_us(parse_instant(manifest["as_of"])),
        )
        seen = Scope(frozenset(scope["tenants"]), frozenset(scope["teams"]))
        _ = manifest["file"]["sha256"], manifest["content_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"manifest: this is no manifest of an export ({error})") from error
    check_options(order.kind, order.options)
    return order, seen, manifest


def differences_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """How a file that was made again stands to the first: `{"same_bytes", "same_content", "differs": [{"what", "was", "is"}]}`."""
    was, is_now = before["file"]["sha256"], now["file"]["sha256"]
    differs = [] if was == is_now else [{"what": "file.sha256", "was": was, "is": is_now}]
    if before["content_sha256"] != now["content_sha256"]:
        differs.append({"what": "content_sha256", "was": before["content_sha256"], "is": now["content_sha256"]})
    for name in _OLD_AND_NEW:
        differs += _of(name, before.get(name), now.get(name))
    return {
        "same_bytes": was == is_now,
        "same_content": before["content_sha256"] == now["content_sha256"],
        "differs": differs,
    }


def _of(name: str, was: Any, is_now: Any) -> list[dict[str, Any]]:
    if was == is_now:
        return []
    if isinstance(was, dict) and isinstance(is_now, dict):
        inner = sorted(set(was) | set(is_now))
        return [found for each in inner for found in _of(f"{name}.{each}", was.get(each), is_now.get(each))]
    return [{"what": name, "was": was, "is": is_now}]
