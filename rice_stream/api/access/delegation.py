"""What somebody may hand on: nothing that they do not have themselves."""

from rice_stream.api.access.rights import RIGHTS, Grant


def is_within(creator: Grant, asked: Grant) -> bool:
    """Whether whoever has `asked` can do nothing, to nobody's data, that whoever has `creator` could not do."""
    return excess(creator, asked) is None


def excess(creator: Grant, asked: Grant) -> str | None:
    """The field of `asked` that goes beyond `creator`: `role`, `tenants` or `teams`; None: none does."""
    if not RIGHTS[asked.role] <= RIGHTS[creator.role]:
        return "role"
    if creator.tenants is not None and (asked.tenants is None or not asked.tenants <= creator.tenants):
        return "tenants"
    if creator.teams and not (asked.teams and asked.teams <= creator.teams):
        return "teams"
    return None
