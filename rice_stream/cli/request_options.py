"""The options by which a request is described on the command line."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.quantities import PRECISIONS

Command = TypeVar("Command", bound=Callable[..., Any])

method_option = click.option("--method", "method_name", type=click.Choice(METHOD_NAMES))
precision_option = click.option("--precision", type=click.Choice(PRECISIONS))
profile_option = click.option(
    "--profile", help="Serving profile: batch1, interactive, throughput or one of the settings."
)

_SERVED = (
    click.option("--cache-read-input-tokens", metavar="N", help="How many of the input tokens were cached."),
    click.option("--region", help="Such as azure:swedencentral, eu-west-1 or SE."),
    click.option("--provider", help="Such as openai or aws.bedrock."),
    click.option("--pue", metavar="X"),
    click.option("--rci-gco2e-per-kwh", metavar="X"),
    click.option("--hardware", help="Such as H100."),
    click.option("--devices", metavar="X"),
    click.option("--batch-size", metavar="X", help="Requests decoded together; may be an average."),
    precision_option,
    profile_option,
    method_option,
)


def served_options(command: Command) -> Command:
    """Where, on what and how a described request is served, and the method: what `estimate` and `rank` share."""
    for option in reversed(_SERVED):
        command = option(command)
    return command


def option_name(field: str) -> str:
    """`--input-tokens` for `input_tokens`."""
    return f"--{field.replace('_', '-')}"
