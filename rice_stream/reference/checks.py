"""Checks across columns and tables: ordered ranges, references that exist."""

from collections.abc import Mapping, Sequence

from rice_stream.reference.hosted.checks import hosted_problems
from rice_stream.reference.reading import Row, raise_problems

Tables = Mapping[str, Sequence[Row]]

FLEET_SUBJECTS = ("fleet:", "industry:")
"""Subjects of pue.csv and wue.csv that are no place."""
PROVIDER_SUBJECT = "provider:"
"""Before a provider's id, and its place after `@` where one is meant (`pue.provider_subject`)."""
REQUIRED_SUBJECTS = ("industry:public_cloud", "industry:data_centers", "industry:hosted_models")
"""Without these the PUE ladder has no last rung."""


def check_tables(tables: Tables) -> None:
    """Raises ReferenceDataError naming file, row and column of everything that does not fit together."""
    problems = [
        *_params(tables["models"]),
        *_params(tables["fallbacks"]),
        *_cache_shape(tables["models"]),
        *_spreads(tables["spreads"]),
        *_references(tables),
        *_last_rungs(tables),
        *hosted_problems(tables),
    ]
    raise_problems(problems)


def _params(rows: Sequence[Row]) -> list[str]:
    problems = []
    for row in rows:
        for prefix in ("params_total_b", "params_active_b"):
            low, mid, high = (row.optional_number(prefix + suffix) for suffix in ("_low", "", "_high"))
            if prefix == "params_total_b" and mid is None and (low is None or high is None):
                problems.append(f"{row.where}, column {prefix}: give the value, or both {prefix}_low and {prefix}_high")
            if (low is None) != (high is None):
                problems.append(f"{row.where}, column {prefix}_low: low and high are given together or not at all")
            elif low is not None and high is not None and not low <= (low if mid is None else mid) <= high:
                problems.append(
                    f"{row.where}, column {prefix}: low <= value <= high is needed, got {low}, {mid}, {high}"
                )
        total, active = row.optional_number("params_total_b"), row.optional_number("params_active_b")
        if total is not None and active is not None and active > total:
            problems.append(f"{row.where}, column params_active_b: {active} is more than the {total} in total")
    return problems


def _cache_shape(rows: Sequence[Row]) -> list[str]:
    problems = []
    for row in rows:
        layers, heads, size = (row.optional_number(name) is not None for name in ("layers", "kv_heads", "head_dim"))
        stated = row.optional_number("kv_bytes_per_token") is not None
        # Layers alone are useful where the cache is no product of heads: latent attention, recurrent models.
        if heads != size or (heads and not layers) or (layers and not heads and not stated):
            problems.append(
                f"{row.where}, column layers: layers, kv_heads and head_dim are given together, or layers with"
                " kv_bytes_per_token, or none of them"
            )
    return problems


def _spreads(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.where}, column factor_mid: factor_low <= factor_mid <= factor_high is needed"
        for row in rows
        if not row.number("factor_low") <= row.number("factor_mid") <= row.number("factor_high")
    ]


def _references(tables: Tables) -> list[str]:
    models = {row.text("model_id").lower() for row in tables["models"]}
    places = {row.text("region_id").lower() for row in tables["regions"]}
    providers = {row.text("provider").lower() for row in tables["providers"]}
    problems = []

    def need(row: Row, column: str, name: str, known: set[str], file_name: str) -> None:
        if name.lower() not in known:
            problems.append(f"{row.where}, column {column}: {name!r} has no row in {file_name}")

    for row in tables["aliases"]:
        need(row, "model_id", row.text("model_id"), models, "models.csv")
    for row in tables["regions"]:
        for step in row.text("ladder").split():
            need(row, "ladder", step, places, "regions.csv")
    for row in tables["rci"]:
        need(row, "region_id", row.text("region_id"), places, "regions.csv")
    for row in (*tables["pue"], *tables["wue"]):
        for name, known, file_name in _subject(row.text("subject"), places, providers):
            need(row, "subject", name, known, file_name)
    for row, column in _given(tables["providers"], "region") + _given(tables["market"], "region_id"):
        need(row, column, row.text(column), places, "regions.csv")
    for row, column in _given(tables["market"], "provider"):
        need(row, column, row.text(column), providers, "providers.csv")
    return problems


def _given(rows: Sequence[Row], column: str) -> list[tuple[Row, str]]:
    """The rows that name something in a column, which may be empty."""
    return [(row, column) for row in rows if row.text(column)]


def _subject(subject: str, places: set[str], providers: set[str]) -> list[tuple[str, set[str], str]]:
    """The names in a subject, where each must be known, and the file that has them."""
    if subject.startswith(FLEET_SUBJECTS):
        return []
    if not subject.startswith(PROVIDER_SUBJECT):
        return [(subject, places, "regions.csv")]
    provider, _, region = subject.removeprefix(PROVIDER_SUBJECT).partition("@")
    return [(provider, providers, "providers.csv"), *([(region, places, "regions.csv")] if region else [])]


def _last_rungs(tables: Tables) -> list[str]:
    """The rows without which some look-up would have no answer at all."""
    problems = []
    world = [
        row
        for row in tables["rci"]
        if (row.text("region_id"), row.text("scope"), row.text("signal"), row.text("accounting"))
        == ("world", "lifecycle", "average", "location")
        and row.number("rci_gco2e_per_kwh") > 0
    ]
    if not world:
        problems.append("rci.csv: the last rung is missing: a row world, lifecycle, average, location above 0")
    subjects = {row.text("subject") for row in tables["pue"]}
    problems += [
        f"pue.csv: the last rung is missing: a row {name}" for name in REQUIRED_SUBJECTS if name not in subjects
    ]
    if not any(row.text("rung") == "default" for row in tables["fallbacks"]):
        problems.append("fallbacks.csv: the last rung is missing: a row with rung default")
    return problems
