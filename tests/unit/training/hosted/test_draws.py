"""The seeded draws of the hosted posterior."""

import numpy as np

from training.hosted.draws import COUNT, NAMES, normals, uniforms

FIRST = {"total": [2048, 7757], "batch": [7046, 2783]}


def test_every_slice_of_every_quantity_is_drawn_once() -> None:
    for name in NAMES:
        assert np.array_equal(np.sort(uniforms()[name]), (np.arange(COUNT) + 0.5) / COUNT)


def test_the_draws_are_these_on_every_machine() -> None:
    """Orders of the first draws, from a generator whose raw words never change."""
    assert {name: [int(value * COUNT) for value in uniforms()[name][:2]] for name in ("total", "batch")} == FIRST


def test_quantities_are_drawn_independently() -> None:
    matrix = np.corrcoef([normals()[name] for name in NAMES])
    assert np.abs(matrix - np.eye(len(NAMES))).max() < 0.05


def test_deviates_are_standard_normal() -> None:
    for name in NAMES:
        assert abs(float(normals()[name].mean())) < 1e-9
        assert abs(float(normals()[name].std()) - 1.0) < 0.01
