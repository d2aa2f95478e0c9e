"""Operations of a layer: what the eager runtime's host does for it decides what it costs, and nothing else does."""

import csv
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rice_stream.estimator.artefact_files import read_artefact
from rice_stream.estimator.calibrated.artefact import Artefact, parse_artefact
from rice_stream.estimator.calibrated.physics import Cost, field_names, joules, seconds
from rice_stream.estimator.calibrated.setup import (
    MID,
    PLAIN_OPERATIONS,
    ROTARY_OPERATIONS,
    machine_of,
    resolve,
    setup_of,
)
from rice_stream.estimator.method import Context
from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference
from training.calibrated.rows import DATA

ALONE = Context(
    Range.exact(6.7), Range.exact(6.7), hardware="A100-80GB", hardware_known=True, batch_size=1.0, layers=32.0
)
AS_OF_US = 1_767_225_600_000_000


def counted() -> dict[str, float]:
    with (DATA / "layer_operations.csv").open(newline="", encoding="utf-8") as stream:
        return {row["architecture"]: float(row["operations"]) for row in csv.DictReader(stream)}


def artefact(name: str) -> Artefact:
    return parse_artefact(read_artefact(name), name)


def costs(context: Context, law: Artefact) -> tuple[Cost, Cost]:
    """Joules and seconds."""
    resolved = [resolve(context, law)]
    setup, machine = setup_of(resolved, law, MID), machine_of(resolved)
    return joules(setup, machine, law.shape), seconds(setup, machine, law.shape)


def same(one: Cost, other: Cost) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in field_names(Cost))


def test_a_step_alone_on_an_a100_costs_more_and_takes_longer_the_more_operations_a_layer_makes() -> None:
    law = artefact("rice-calibrated.json")
    found = [costs(replace(ALONE, layer_operations=count), law) for count in (38.0, 51.0, 96.0, 112.0, 152.0)]
    for (less, shorter), (more, longer) in pairwise(found):
        assert less.per_step < more.per_step
        assert shorter.per_step < longer.per_step


@pytest.mark.parametrize(
    "served",
    [replace(ALONE, batch_size=8.0), replace(ALONE, hardware="H100"), replace(ALONE, hardware="B200", batch_size=32.0)],
)
def test_operations_change_nothing_where_steps_are_captured_in_graphs(served: Context) -> None:
    law = artefact("rice-calibrated.json")
    for before, after in zip(costs(served, law), costs(replace(served, layer_operations=500.0), law), strict=True):
        assert same(before, after)


def test_operations_change_nothing_in_version_1() -> None:
    law = artefact("rice-calibrated-1.json")
    for before, after in zip(costs(ALONE, law), costs(replace(ALONE, layer_operations=152.0), law), strict=True):
        assert same(before, after)


def test_a_layer_that_nobody_counted_is_llamas_or_opts() -> None:
    law, table = artefact("rice-calibrated.json"), counted()
    assert (table["llama, grouped"], table["opt"]) == (ROTARY_OPERATIONS, PLAIN_OPERATIONS)
    for rotary, architecture in ((None, "llama, grouped"), (True, "llama, grouped"), (False, "opt")):
        guessed = replace(ALONE, rotary=rotary)
        stated = replace(guessed, layer_operations=table[architecture])
        assert same(costs(guessed, law)[0], costs(stated, law)[0])


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ("facebook/opt-6.7b", "opt"),
        ("EleutherAI/gpt-j-6b", "gptj"),
        ("EleutherAI/pythia-1.4b", "gpt_neox"),
        ("openai-community/gpt2", "gpt2"),
        ("AI-Sweden-Models/gpt-sw3-6.7b", "gpt2, fused activation"),
        ("meta-llama/Llama-2-7b-hf", "llama"),
        ("microsoft/phi-1_5", "phi"),
        ("bigscience/bloom-7b1", "bloom"),
        ("tiiuae/falcon-7b", "falcon"),
        ("Salesforce/codegen-16B-nl", "codegen"),
    ],
)
def test_models_have_the_operations_counted_for_their_architecture(model: str, architecture: str) -> None:
    factor = load_reference().resolve_model(None, model, None, AS_OF_US)
    assert factor.known
    assert factor.layer_operations == counted()[architecture]


def test_every_count_in_the_table_of_models_was_counted() -> None:
    found = {row["layer_operations"] for row in load_reference().search_models()} - {None}
    assert found == set(counted().values())
