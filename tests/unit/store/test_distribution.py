"""The schema can be split by tenant: what grows with prompts is known by its tenant first, and what is not is named here."""

from rice_stream.store.schema import metadata

BY_TENANT = "tenant_key"
OTHERWISE = {
    "tenant": "the names of all tenants, which every part has",
    "adjustment": "numbered across tenants, known by the digest of its cause: its number would have to follow its tenant",
    "conflict": "numbered across tenants, one for a tenant's event and content: the same",
}
"""Tables of a tenant whose key does not begin with it."""
KEYLESS = {
    "basis": "what combinations of flags are called: the same everywhere",
    "factor_use": "what estimates rest on, known by its digest: the same everywhere",
}


def test_the_key_of_every_table_of_a_tenant_begins_with_the_tenant() -> None:
    """So rows of one tenant lie together, and a part of the tenants is a part of every table."""
    of_tenants = {table.name: table for table in metadata.sorted_tables if BY_TENANT in table.c}
    assert len(of_tenants) > 12
    elsewhere = {name for name, table in of_tenants.items() if next(iter(table.primary_key.columns)).name != BY_TENANT}
    assert elsewhere == OTHERWISE.keys() - {"tenant"}
    assert list(of_tenants["tenant"].primary_key.columns.keys()) == [BY_TENANT]


def test_what_a_record_points_to_is_its_tenants_or_the_same_everywhere() -> None:
    """No number of one tenant's record means anything that another part of the tenants gave out, but those of KEYLESS."""
    keys = {column.name for column in metadata.tables["prompt_record"].c if column.name.endswith("_key")}
    owners = {
        "attribution_key": "attribution",
        "user_key": "principal",
        "api_key_key": "principal",
        "tenant_key": "tenant",
        "factor_key": "factor_use",
    }
    assert keys - {"event_key"} == owners.keys()
    for name, owner in owners.items():
        primary = next(iter(metadata.tables[owner].primary_key.columns)).name
        assert primary == BY_TENANT or owner in KEYLESS, name
