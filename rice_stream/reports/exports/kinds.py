"""Every kind of export: what it is, as which files, with which options; the command, the API and the documents list these."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder, Form
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope

if TYPE_CHECKING:
    from rice_stream.reports.exports.exported import Exported  # what it is made of holds columns, in NumPy


class ExportKind(NamedTuple):
    """`read` is loaded when it is asked for; `forms` has the one first that is made where none is asked for."""

    title: str
    forms: tuple[Form, ...]
    options: tuple[str, ...]
    read: Callable[[Engine, Scope, ExportOrder], "Exported"]


def _chargeback(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.chargeback import chargeback

    return chargeback(engine, scope, order)


def _focus(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.focus import focus

    return focus(engine, scope, order)


def _scope_pack(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.scope_pack import scope_pack

    return scope_pack(engine, scope, order)


def _sci(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.sci import sci

    return sci(engine, scope, order)


def _prompts(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.prompt_rows import prompt_rows

    return prompt_rows(engine, scope, order)


def _profile(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.profiles import profile

    return profile(engine, scope, order)


def _pact(engine: Engine, scope: Scope, order: ExportOrder) -> "Exported":
    from rice_stream.reports.exports.pact import pact

    return pact(engine, scope, order)


KINDS: Mapping[str, ExportKind] = {
    "chargeback": ExportKind(
        "What each cost centre is to be charged",
        ("csv", "parquet", "xlsx", "json"),
        ("by", "amounts", "carbon_price_per_tonne", "currency"),
        _chargeback,
    ),
    "focus": ExportKind(
        "Usage in the shape of FOCUS, with carbon in columns of its own",
        ("csv", "parquet"),
        ("focus_version",),
        _focus,
    ),
    "scope-pack": ExportKind(
        "Scope 3, category 1 and Scope 2 for a report under the GHG Protocol",
        ("json", "pdf"),
        ("own_providers", "threshold_percent"),
        _scope_pack,
    ),
    "prompts": ExportKind("Every prompt, as it was recorded", ("parquet", "csv"), (), _prompts),
    "sci": ExportKind("Software carbon intensity for AI, for the consumer", ("json",), ("functional_unit",), _sci),
    "pact": ExportKind(
        "Product footprints in the data model of PACT 3", ("json",), ("company_name", "company_domain"), _pact
    ),
    "msm": ExportKind(
        "Rows for Microsoft Sustainability Manager", ("csv", "xlsx"), ("part", "own_providers"), _profile
    ),
    "netzero": ExportKind("Rows for Salesforce Net Zero Cloud", ("csv", "xlsx"), ("own_providers",), _profile),
    "envizi": ExportKind("Rows for IBM Envizi", ("csv", "xlsx"), ("own_providers",), _profile),
    "spruce": ExportKind("Rows for the reports of SPRUCE", ("parquet",), (), _profile),
}
_SPELLED = {
    "amounts": "as",
    "carbon_price_per_tonne": "carbon-price-per-tonne",
    "focus_version": "focus-version",
    "own_providers": "own-provider",
    "company_name": "company-name",
    "company_domain": "company-domain",
    "functional_unit": "functional-unit",
}


def kind_named(name: str) -> ExportKind:
    """NotFoundError: there is none of this name."""
    if name not in KINDS:
        raise NotFoundError(f"there is no export {name!r}: choose from {', '.join(KINDS)}")
    return KINDS[name]


def form_of(name: str, form: str | None) -> Form:
    """The form that is asked for, or the kind's first. UsageError: it has no such form."""
    forms = kind_named(name).forms
    if form is None:
        return forms[0]
    for each in forms:
        if each == form:
            return each
    raise UsageError(f"--format {form}: {name} is made as {', '.join(forms)}")


def check_options(name: str, options: ExportOptions) -> None:
    """UsageError: options that the kind does not take."""
    foreign = [_SPELLED.get(option, option) for option in options.given if option not in kind_named(name).options]
    if foreign:
        raise UsageError(f"--{', --'.join(foreign)}: {name} has no such option")
