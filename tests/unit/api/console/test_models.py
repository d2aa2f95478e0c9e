"""The page of models: figures are the API's, what cannot be told apart shares its rank, and names are mapped from it."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.console.drawing.rankings import Run, axis_to, tied_runs
from rice_stream.api.console.drawing.scatters import scatter_of
from rice_stream.wording.amounts import amount, count
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import read

UNKNOWN = "no-such-model-of-anybody"
_NAMES = [f"m{place}" for place in range(8)]
_PAIRS = st.sets(st.tuples(st.sampled_from(range(8)), st.sampled_from(range(8))))


@given(_PAIRS)
def test_runs_hold_every_place_once_and_only_pairs_that_cannot_be_told_apart(pairs: set[tuple[int, int]]) -> None:
    both = pairs | {(other, one) for one, other in pairs}
    uncertain = [[_NAMES[other] for one, other in both if one == place] for place in range(8)]
    runs = tied_runs(_NAMES, uncertain)
    places = [place for run in runs for place in range(run.first, run.last + 1)]
    assert places == list(range(1, 9))
    for run in runs:
        for one in range(run.first, run.last + 1):
            assert all(_NAMES[o - 1] in uncertain[one - 1] for o in range(run.first, run.last + 1) if o != one)


def test_a_run_ends_where_one_is_told_apart_from_any_of_it() -> None:
    """The third cannot be told from the second, but from the first."""
    assert tied_runs(["a", "b", "c"], [["b"], ["a", "c"], ["b"]]) == [Run(1, 2), Run(3, 3)]
    assert tied_runs([], []) == []


def test_an_axis_ends_on_a_round_number_in_one_unit() -> None:
    axis = axis_to(998_000, "count")
    assert [tick.text for tick in axis.ticks][-1] == "1.00 million"
    assert axis.end == 1_000_000


def test_names_in_a_scatter_lie_over_nothing() -> None:
    """Of two points at one place only one has its name."""
    carbon = {"low": 1.0, "mid": 2.0, "high": 3.0}
    chart = scatter_of([("one", 100.0, carbon), ("two", 100.0, carbon), ("far", 10.0, {**carbon, "mid": 1.0})])
    sides = [dot.side for dot in chart.dots]
    assert sides[0] is not None
    assert len({(dot.x, dot.mid, dot.side) for dot in chart.dots if dot.side}) == sum(
        side is not None for side in sides
    )
    assert all(0 <= dot.x <= 100 and 0 <= dot.high <= dot.mid <= dot.low <= 100 for dot in chart.dots)
    assert scatter_of([]).dots == []


def test_the_table_of_use_is_what_the_api_says_and_its_footer_the_total(api: Api) -> None:
    said = api.get("/v1/totals?by=model&window=30d&top=25").document
    page = read(api.get("/models"))
    table = next(table for table in page.tables if table[0][:2] == ["Model", "Prompts"])
    assert [row[0] for row in table[1:-1]] == [row["model"] for row in said["rows"]]
    assert [row[1].replace("\u202f", " ") for row in table[1:]] == [
        count(row["prompts"]).replace("\u202f", " ") for row in (*said["rows"], said["total"])
    ]
    assert amount(said["total"]["carbon_gco2e"]["mid"], "carbon").replace("\u202f", " ") in page.text


def test_the_ranking_is_that_of_the_api_with_the_same_rank_for_what_cannot_be_told_apart(api: Api) -> None:
    asked = "input_tokens=900&output_tokens=300&region=aws:us-east-1"
    said = api.get(f"/v1/rank?{asked}&model=gpt-4o&model={UNKNOWN}&model=llama-3.1-8b").document
    page = read(api.get(f"/models?{asked}&also=llama-3.1-8b"))
    rows = said["rows"]
    runs = tied_runs([row["model"] for row in rows], [row["uncertain_against"] for row in rows])
    table = next(table for table in page.tables if table[0][0] == "Rank")
    ranks = [row[0] for row in table[1:] if len(row) == len(table[0])]
    assert ranks == [f"{run.first}–{run.last} cannot be told apart" if run.size > 1 else f"{run.first}" for run in runs]
    names = [row[-4] for row in table[1:]]
    assert [name.removesuffix(" defaulted") for name in names] == [row["model"] for row in rows]
    assert "the region aws:us-east-1 and the method" in page.text
    for run in runs[:-1]:
        lower, higher = rows[run.last - 1], rows[run.last]
        near = f"{lower['model']} and {higher['model']}" in page.text
        assert near is (higher["model"] in lower["uncertain_against"])


def test_a_move_says_what_the_comparison_saves_and_what_is_held_fixed(api: Api) -> None:
    start = api.get("/v1/totals?by=model&window=30d").document["window"]["from"]
    asked = f"from={quote(start)}&only_model=gpt-4o&model=llama-3.1-8b"
    whole, half = (api.get(f"/v1/compare?{asked}&share={share}").document["total"] for share in (1, 0.5))
    for measure in ("saving_gco2e", "saving_share"):
        for end in ("low", "mid", "high"):
            assert half[measure][end] * 2 == whole[measure][end]
    served, changed = (whole[side]["carbon_gco2e"]["mid"] for side in ("as_served", "changed"))
    assert abs(whole["saving_gco2e"]["mid"] - (served - changed)) < 1e-12
    page = read(api.get("/models?move=gpt-4o&to_model=llama-3.1-8b&share=50"))
    assert f"Saves {amount(half['saving_gco2e']['mid'], 'carbon')}".replace("\u202f", " ") in page.text
    assert f"{'can' if half['certain'] else 'cannot'} be told from zero" in page.text
    assert "Held fixed on both sides: the 2 prompts with their tokens" in page.text
    assert api.get("/v1/compare?model=gpt-4o&share=0").status == 422


def test_a_move_without_an_answer_says_why_and_the_rest_of_the_page_stands(api: Api) -> None:
    page = read(api.get("/models?move=nobody-uses-this&to_model=gpt-4o"))
    assert "no records in this window" in page.text
    assert "Models in use" in page.text


def test_a_card_is_that_of_the_api(api: Api) -> None:
    card = api.get("/v1/models/gpt-4o").document
    page = read(api.get("/models?model=gpt-4o"))
    evidence = next(table for table in page.tables if table[0][0] == "Kind")
    assert [row[-1] for row in evidence[1:]] == [" ".join(piece["source"].split()) for piece in card["evidence"]]
    assert f"{card['range_factors']['carbon']:.3g} times the low end" in page.text
    assert "What would narrow this" in page.text


def test_an_unknown_model_is_mapped_from_the_page_as_by_the_api(api: Api, ledger: Shell) -> None:
    page = api.get("/models", role="editor")
    assert b"Map it" in page.body
    fields = [("kind", "model"), ("name", UNKNOWN), ("target", "gpt-4o"), ("valid_from", "")]
    done = api.fill_in("/models", fields)
    assert done.status == 303
    (mapping,) = ledger.json("map", "list")["mappings"]
    assert (mapping["kind"], mapping["name"], mapping["target"]) == ("model", UNKNOWN, "gpt-4o")
    said = read(api.get(done.headers["location"], role="editor"))
    assert f"{UNKNOWN} stands for gpt-4o in events from" in said.text
    actions = [entry["action"] for entry in ledger.json("audit", "list")["rows"]]
    assert "mapping.set" in actions


def test_a_mapping_that_cannot_be_is_refused_on_the_page_with_its_reason(api: Api, ledger: Shell) -> None:
    fields = [("kind", "model"), ("name", UNKNOWN), ("target", "also-no-model")]
    refused = api.fill_in("/models?window=7d", fields)
    assert refused.status == 400
    assert b"is no model of the tables" in refused.body
    assert api.fill_in("/models", fields, role="reader").status == 403
    assert api.fill_in("/models", [*fields[:2], ("target", "gpt-4o")], tenants={"globex"}).status == 403
    assert ledger.json("map", "list")["mappings"] == []


def test_who_may_change_nothing_is_offered_nothing_and_sees_ones_own_only(api: Api) -> None:
    for role, scope in (("reader", {}), ("editor", {"tenants": {"globex"}})):
        assert b"Map it" not in api.get("/models", role=role, **scope).body
    own = read(api.get("/models", role="reader", tenants={"acme"}))
    assert UNKNOWN not in own.text
    assert "Every model of this time is in the catalogue" in own.text
    hidden = api.get(f"/models?model={UNKNOWN}", role="reader", tenants={"acme"})
    assert b"No prompt that you may see names it either" in hidden.body


def test_fields_of_forms_that_are_left_empty_ask_for_nothing(api: Api) -> None:
    names = (
        "tenant",
        "time_zone",
        "window",
        "input_tokens",
        "region",
        "also",
        "move",
        "share",
        "to_model",
        "to_region",
    )
    assert read(api.get(f"/models?{'&'.join(f'{name}=' for name in names)}")).tables == read(api.get("/models")).tables


def test_nothing_is_said_in_words(api: Api) -> None:
    empty = read(api.get("/models?from=2020-01-01&to=2020-01-02"))
    assert "No prompt in this time" in empty.text
    nobody = read(api.get("/models", tenants={"nobody"}))
    assert "No events yet" in nobody.text
