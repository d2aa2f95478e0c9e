"""The one interface of all estimating methods: columns in, columns out; no clock, file, network or environment.

Two steps keep the hot path to a few multiplications per request. `kinds` works out k contexts (a context is one combination
of model, hardware and serving profile), once per context: everything that a method knows of it, its coefficients among it.
`estimate` applies a (k, c) matrix of coefficients to n requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    # Settings and commands know these types without waiting for numpy.
    import numpy as np
    from numpy.typing import NDArray

    from rice_stream.estimator.site import SiteProfile
    from rice_stream.estimator.spread import Spread
    from rice_stream.quantities import Floats, Ints, ListPrice, Range


Route = Literal["measured", "known_serving", "hosted_posterior", "price", "assumed"]
"""What an energy rests on, best first: a meter; the law at a serving that was stated; a hosted model's fitted row; its list
price alone; assumptions."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One way of serving. Fields are used only where the context does not state the thing itself."""

    hardware: str
    batch_size: Range
    """Requests decoded together; the range is a belief, not an error of the model."""
    precision: str
    idle_share: Range
    """Energy of machines that are on but idle, as a share of the active machines' energy."""
    source: str
    devices_max: float | None = None
    """Devices that decode one batch of a mixture of experts together, at most: wide expert parallelism is many such groups,
    each with its own batch. None: as many as the weights need. A stated device count is not cut."""
    overlap: float = 0.0
    """Share of what experts spread over devices cost (exchange, waiting for the most loaded) that is hidden behind computation."""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """Facility energy of one request of so many tokens, as whoever hosts the model disclosed it."""

    facility_energy_wh: float
    input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    log_sd: float
    """Standard deviation of its logarithm: how far off it may be."""
    evidence_id: str = ""
    """Its row in evidence.csv; records from before it was kept have none."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for every request of one model on one serving set-up.

    Parameter counts are in billions (1e9). `None` means: not known, the method takes its documented default.
    """

    params_total_b: Range
    params_active_b: Range
    hardware: str = "A100-80GB"
    hardware_known: bool = False
    devices: float | None = None
    batch_size: float | None = None
    precision: str | None = None
    kv_bytes_per_token: float | None = None
    state_bytes: float | None = None
    """What a sequence holds whatever its length (sliding windows, recurrent state), bytes; None: nothing."""
    routed_share: float | None = None
    """Experts that a token passes through, as a share of all experts of a layer; None: not known, or no such."""
    layers: float | None = None
    """All layers of the model: kernel launches are counted per layer."""
    rotary: bool | None = None
    """Whether each layer rotates its queries and keys by their positions, as nearly all models since 2023 do."""
    layer_operations: float | None = None
    """Tensor operations that one layer makes for one token, run one by one (eager); None: as many as the usual layer makes."""
    utilisation: float | None = None
    tdp_w: float | None = None
    profile: str | None = None
    """The requested serving profile (`batch1`, `interactive`, `throughput` or user-defined)."""
    own_profile: Profile | None = None
    """The operator's own profile of that name, carried along so that a stored context needs no settings to be understood."""
    provider: str | None = None
    model_id: str | None = None
    """The model's row in the tables; None where a size was given instead of a model."""
    family: str | None = None
    """Models of one architecture err together; a fitted row of a hosted model says of which."""
    model_known: bool = True
    """False where the parameters are those of a size class, a family or of all models."""
    own_model: bool = False
    """True where the parameters are the operator's own knowledge: no fitted row of a hosted model knows them."""
    hosting: str | None = None
    """The serving profile of whoever hosts the model (`hosted_scale`, `hosted_small`); None where the serving was stated."""
    hosted_by: str | None = None
    """Who is taken to host the model where no provider is named; its models err together as a provider's do."""
    list_price: ListPrice | None = None
    """The host's list price at the time: evidence of what the model's energy can be."""
    price_ceiling: ListPrice | None = None
    """The lowest list price that is known: no hosted request's energy costs more than its price."""
    disclosures: tuple[Disclosed, ...] = ()
    """What the operator was told that requests of this model take: it moves the energy as far as it is certain."""
    pue: float | None = None
    """Of the place; used where a price, which pays for the whole facility, is turned into the energy of machines."""

    @property
    def serving_stated(self) -> bool:
        """Whether anything was said of what the model runs on, or of how many requests at a time."""
        stated = self.hardware_known or self.own_profile is not None
        return stated or self.devices is not None or self.batch_size is not None


@dataclass(frozen=True, slots=True)
class Requests:
    """Columns of n requests. All arrays have shape (n,).

    `context` indexes the rows of the coefficient matrix. Token counts are inclusive (OpenTelemetry's words): cached
    tokens are a subset of input, reasoning tokens of output. Unknown counts have already been replaced (the pipeline
    flags them), so there is no NaN here. `inference` is False where a gateway answered from its own cache: such a
    request costs no inference energy at all.
    """

    context: NDArray[np.intp]
    input_tokens: Ints
    cache_read_input_tokens: Ints
    output_tokens: Ints
    inference: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Estimates:
    """Columns of n requests, shape (n,), per request (its share of the batch it ran in).

    `prefill_j + decode_j == gpu_energy_j` of all its devices (joules); decode is the `output_tokens - 1` steps after
    the first token. `it_energy_wh` adds the server around the devices (Wh, before PUE). `low` and `high` bound an
    80 % interval of model error plus the parameter range. `flags` are `rice_stream.basis.Basis` bits.
    """

    prefill_j: Floats
    decode_j: Floats
    gpu_energy_j: Floats
    gpu_energy_j_low: Floats
    gpu_energy_j_high: Floats
    it_energy_wh_low: Floats
    it_energy_wh: Floats
    it_energy_wh_high: Floats
    latency_s: Floats
    flags: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ServedAs:
    """The serving set-up that a method takes for a context: what it was told, or what it assumes."""

    hardware: str
    batch_size: float
    precision: str


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Everything that a method knows of one context; made by `Method.kinds`."""

    context: Context
    coefficients: Floats
    """Shape (c,): a row of the matrix that `Method.estimate` takes. It cannot be written to."""
    route: Route
    """What the context's energy rests on."""
    served_as: ServedAs
    devices: float
    """Devices that the context's model runs on."""
    spread: Spread | None = None
    """How uncertain the IT energy is, and with whom; None: the ends of `estimate` are bounds, which multiply with those of
    the carbon intensity."""
    idle_share: float = 0.0
    """Energy of machines that are on and wait, as a share of that of the machines at work, in the IT energy."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """What the method took itself and where it has that from: `serving`, where the context's hardware is not known."""


@dataclass(frozen=True, slots=True)
class Impact:
    """Low, middle and high of a quantity, as columns of n requests, shape (n,)."""

    low: Floats
    mid: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Impacts:
    """What is told beside operational carbon and is never part of it, per request."""

    embodied_gco2e: Impact
    """Share of the making of the devices and servers."""
    water_l: Impact
    """Litres evaporated by cooling on site and consumed in generating the electricity."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an estimate's arithmetic, as `rice-stream explain` prints it.

    `formula` says how the value was computed, with the numbers put in, and `source` where its constants are from.
    """

    name: str
    formula: str
    value: float
    unit: str
    source: str


def version_of(name: str, revision: int, digest: str) -> str:
    """The version of a method: its name, the revision of its code, and the digest (hex) of its fitted artefact."""
    return f"{name}-{revision}+{digest[:8]}"


def name_in_version(version: str) -> str:
    """The name of the method that a version from `version_of` belongs to.

    >>> name_in_version("rice-paper-1+0a1b2c3d.whole-devices")
    'rice-paper'
    """
    return version.partition("+")[0].rpartition("-")[0]


class Method(Protocol):
    """An estimating method: pure, deterministic, vectorised. Methods inherit from it and are listed in `registry.METHODS`."""

    name: str
    """As in `registry.METHODS`."""
    version: str
    """Stored with every record; made by `version_of`."""
    default_pue: float | None = None
    """PUE of the method's own publication, used where event, settings and tables name none; None: the tables' last rung."""
    responds_to: frozenset[str] = frozenset()
    """Of `batch_size`, `precision`, `profile` and `site`: what changes the energies. The others are not used."""
    profiles: Mapping[str, Profile] = MappingProxyType({})
    """The serving profiles that ship with the method, by name."""

    def kinds(self, contexts: Sequence[Context]) -> list[KindFigures]:
        """Everything about each of k contexts; each depends on its own context alone."""
        ...

    def coefficients(self, contexts: Sequence[Context]) -> Floats:
        """The coefficients of k contexts alone, as a (k, c) matrix; row i depends on contexts[i] alone."""
        ...

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        """Energy and latency of n requests; only additions, multiplications and look-ups per request."""
        ...

    def explain(self, context: Context, request: Requests) -> list[Step]:
        """The arithmetic of one request (columns of one row), step by step; values equal those of `estimate` to the last bit."""
        ...

    def impacts(self, coefficients: Floats, requests: Requests, estimates: Estimates, pue: Floats) -> Impacts | None:
        """Embodied carbon and water of n requests, or None from a method that does not give them.

        `coefficients` as for `estimate`, `pue` of shape (n,).
        """
        return None

    def with_site(self, site: SiteProfile) -> Method:
        """The method corrected by a site's own measurements; one that does not respond to `site` stays as it is.

        Raises:
            UsageError: the site profile was made for another version of the method.
        """
        return self
