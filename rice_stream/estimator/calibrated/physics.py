"""Joules and seconds of prefill and decode from first principles: launches, weights read, operations, KV cache read.

Every function is pure arithmetic over k contexts at once (arrays of shape (k,)), shared by the fit (training/calibrated)
and by the method (coefficients.py, method.py), so that what is fitted is what is shipped. One decode step of a batch costs

    launch x devices x layers + weight x GB of weights read + flop x TFLOP + kv x GB of KV cache read       (joules)

and a request pays its share, 1 / batch, of what the batch shares. All coefficients are >= 0, which makes the energy rise
with tokens, context and parameters and fall per token with the batch. docs/validation-calibrated.md has the evidence.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from rice_stream.estimator.calibrated.experts import expert_share, routed_b, weights_touched_b
from rice_stream.quantities import Floats

PREFILL_SIZE_B = 8.0
"""Active parameters (1e9) at which `Shape.prefill_size_exponent` changes nothing; unit of the exchange's."""
WIDTH_EXPONENT = 2.0 / 3.0
"""Layers x hidden size over parameters: what a token's activations, exchanged between devices, grow with."""
EXPERT_LOAD_TOKENS = 16.0
"""Tokens of an expert from which chance evens the load out: how much the most loaded device exceeds the mean falls with the root
of the tokens per expert. Not fitted: left-out errors are flat from 4 to 64."""
EAGER_OPERATIONS = 100.0
"""Tensor operations of the layer whose launches `Machine.eager_j` and `eager_layer_s` are."""
EAGER_WEIGHT_BYTES = 2.0
"""Bytes per parameter that the eager runtime computes with, whatever it stores."""


@dataclass(frozen=True, slots=True)
class Setup:
    """k resolved contexts: nothing is unknown any more. Arrays of shape (k,)."""

    total_b: Floats
    active_b: Floats
    layers: Floats
    devices: Floats
    batch: Floats
    weight_bytes: Floats
    """Bytes per parameter at the serving precision."""
    kv_bytes: Floats
    """KV cache bytes per token of context."""
    flop_factor: Floats
    """Cost of an operation at this precision relative to 16 bit."""
    narrow: Floats
    """1 where weights are 8 bit or narrower, else 0."""
    plain: Floats
    """1 for a model without rotary positions (learned, ALiBi, none): fewer kernels per layer; else 0."""
    operations: Floats
    """Tensor operations that one layer makes for one token: the host hands them to the device one by one in the eager runtime."""
    state_bytes: Floats
    """Bytes that a request's sequence holds whatever its length (sliding windows, recurrent state), read each step."""
    routed_share: Floats
    """Experts that a token passes through, as a share of a layer's; 0 where it is not known."""
    exposed: Floats
    """Share of what experts spread over devices cost that is not hidden behind computation: 1 unless the host hides it."""
    quantised: Floats
    """1 where activations are quantised as well as weights (8-bit operations), else 0."""
    eager: Floats
    """Share of the eager (no CUDA graphs) batch-1 runtime: 1 at batch 1 where only that has been measured, 0 from batch 2 on."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Coefficients of the hardware of k contexts, shape (k,). Energies are of GPUs alone."""

    launch_j: Floats
    """J per layer, device and step."""
    weight_j_per_gb: Floats
    flop_j_per_tflop: Floats
    floor_j_per_tflop: Floats
    """TDP over peak operations at 16 bit: an operation never costs less, whatever the precision."""
    kv_j_per_gb: Floats
    stream_j: Floats
    """J per device and output token in sustained serving (scheduling, sampling, detokenising while the device waits)."""
    context_j: Floats
    """J per step and token of context, whatever the batch."""
    eager_j: Floats
    """J per layer, device and step of the eager runtime: the device draws power while it waits for the next launch."""
    launch_s: Floats
    weight_gb_per_s: Floats
    flop_tflop_per_s: Floats
    stream_s: Floats
    """Seconds per step and request of the batch."""
    context_s: Floats
    eager_layer_s: Floats
    """Seconds per layer and step of the eager runtime: launches."""
    eager_s_per_b: Floats
    """Seconds per step and 1e9 parameters of the eager runtime: memory. The longer of the two counts (smoothly)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Coefficients that hold on all hardware."""

    moe_launch: float
    """Extra launches of a mixture of experts, in multiples of a dense layer's."""
    narrow_launch: float
    """Extra launches of a mixture of experts with weights of 8 bit or less (quantise, dequantise), same unit."""
    moe_prefill: float
    """Extra cost of prefill operations in a mixture of experts (small matrices per expert), as a share."""
    quantised_launch: float
    """Launches of quantising activations in a mixture of experts, in multiples of a dense layer's on one device."""
    quantised_device_exponent: float
    """They are of the experts, however many devices share these: devices ** exponent."""
    expert_parallel_prefill: float
    """Extra cost of prefill operations where experts are spread over devices: these wait for the most loaded one, and for
    the exchange between them. As a share, times 1 - 1 / devices."""
    expert_parallel_stream: float
    """Exchange between devices per generated token, over the sustained-serving cost of one device: times devices - 1, with
    the width of the experts that the token passes through, and less where many tokens share an expert."""
    state_read: float
    """Reads of a sequence's fixed state, over its bytes."""
    weight_device_exponent: float
    stream_device_exponent: float
    stream_half_tokens: float
    """Output tokens after which half of the sustained-serving cost per token applies."""
    prefill_flop: float
    """Prefill operation over decode operation."""
    prefill_size_exponent: float
    """A prefill operation's cost rises with active parameters (over 8e9) to this power: a small model's embeddings and
    head are a large part of it, and a prompt's tokens pass through neither."""
    prefill_launch: float
    """Launches of a prefill over those of a decode step (not captured in a graph)."""
    prefill_weight: float
    """Weights read in prefill over those of a decode step: partly hidden behind the operations."""
    attention_flop: float
    """Attention operation (quadratic in the prompt) over a prefill operation."""
    eager_plain: float
    """Eager launches of a layer without rotary positions, as a share of one with (version 1; 1 where operations are counted)."""
    eager_plain_s: float
    """The same of their time."""
    eager_operations: float
    """A layer's eager launches go with its operations to this power: a part of the host's work is the same for every layer."""
    eager_operations_s: float
    """The same of their time."""
    eager_prefill: float
    """Launches of an eager prefill over those of an eager decode step: partly hidden behind the operations."""
    eager_prefill_s: float
    eager_narrow: float
    """Extra energy of an eager step with weights of 8 bit or less (they are expanded in kernels of their own), as a share."""
    eager_narrow_s: float
    """The same of its time."""
    recurrent_s: float
    """Extra eager time of a recurrent model (no KV cache: its time mixing is not one kernel), as a share."""
    moe_launch_s: float
    narrow_launch_s: float
    prefill_launch_s: float
    device_s_exponent: float
    """Time over devices: t ~ devices ** -exponent (1 = perfect tensor parallelism)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Energy or time of ONE request, as coefficients: shape (k,). See `joules` and `seconds` for the formula."""

    fixed: Floats
    per_token: Floats
    """Per uncached input token."""
    per_square: Floats
    """Per (input tokens^2 - cached tokens^2): attention."""
    per_cached: Floats
    per_step: Floats
    per_step_context: Floats
    """Per step and token of mean context."""
    per_stream: Floats
    """Per steps^2 / (steps + stream_half_tokens)."""


def routed(setup: Setup) -> Floats:
    """1 for a mixture of experts, 0 for a dense model."""
    mixture: Floats = (setup.active_b < setup.total_b).astype(np.float64)
    return mixture


def attention_tflop_per_square(active_b: Floats) -> Floats:
    """TFLOP of causal attention per prompt token squared: 2 x layers x hidden; layers x hidden by a power law.

    131,072 (32 x 4,096) at 8.03 B parameters, exponent 2/3: within 10 % for Llama-3.2-1B, Qwen2.5-32B, Llama-3.1-70B.
    """
    width: Floats = 131072.0 * (active_b / 8.03) ** 0.67
    return 2.0 * width / 1e12


def joules(setup: Setup, machine: Machine, shape: Shape) -> Cost:
    """GPU joules of one request, all devices.

    A mixture of experts never costs more than the dense model of its total size: without this cap, its extra launches would
    make energy fall where the active parameters approach the total. No measured model comes near the cap.
    """
    own, dense = _joules(setup, machine, shape), _joules(replace(setup, active_b=setup.total_b), machine, shape)
    pairs = ((getattr(own, name), getattr(dense, name)) for name in field_names(Cost))
    return Cost(*(np.minimum(mixture, whole) for mixture, whole in pairs))


def _joules(setup: Setup, machine: Machine, shape: Shape) -> Cost:
    moe, batch, devices = routed(setup), setup.batch, setup.devices
    graph = 1.0 - setup.eager
    launches = devices * setup.layers * machine.launch_j
    dearer = 1.0 + moe * (shape.moe_launch + shape.narrow_launch * setup.narrow)
    quantise_j = setup.layers * machine.launch_j * devices**shape.quantised_device_exponent
    quantise_j = moe * setup.quantised * shape.quantised_launch * quantise_j
    spread = moe * setup.exposed * (1.0 - 1.0 / devices)
    weight_j = machine.weight_j_per_gb * setup.weight_bytes * devices**shape.weight_device_exponent
    flop_j = np.maximum(machine.flop_j_per_tflop * setup.flop_factor, machine.floor_j_per_tflop)
    token_j = flop_j * 2.0 * setup.active_b / 1e3
    prefill_token_j = token_j * shape.prefill_flop * (1.0 + moe * shape.moe_prefill)
    prefill_token_j = prefill_token_j * (1.0 + spread * shape.expert_parallel_prefill)
    prefill_token_j = prefill_token_j * (setup.active_b / PREFILL_SIZE_B) ** shape.prefill_size_exponent
    kv_j = machine.kv_j_per_gb * setup.kv_bytes / 1e9
    graph_step = launches * dearer + quantise_j + weight_j * weights_at(setup, batch)
    # Narrow weights are expanded to 16 bit before they are used: what is read then is the expanded copy.
    expanding = 1.0 + shape.eager_narrow * setup.narrow
    read_j = machine.weight_j_per_gb * np.maximum(setup.weight_bytes, EAGER_WEIGHT_BYTES) * weights_at(setup, batch)
    kernels = (1.0 + moe) * (1.0 - (1.0 - shape.eager_plain) * setup.plain)
    kernels = kernels * (setup.operations / EAGER_OPERATIONS) ** shape.eager_operations
    eager_law = expanding * (machine.eager_j * devices * setup.layers * kernels + read_j) + token_j
    # Eager or not, a step cannot cost less than launching its kernels, reading its weights and computing.
    eager_step = np.maximum(eager_law, graph_step + token_j)
    graph_first = launches * dearer * shape.prefill_launch + weight_j * shape.prefill_weight * setup.total_b

    stated = setup.routed_share
    width = (routed_b(setup.total_b, setup.active_b, stated) / PREFILL_SIZE_B) ** WIDTH_EXPONENT
    per_expert = batch * expert_share(setup.total_b, setup.active_b, stated)
    exchange_j = graph * moe * setup.exposed * shape.expert_parallel_stream * machine.stream_j * (devices - 1.0)
    exchange_j = exchange_j * width / np.sqrt(1.0 + per_expert / EXPERT_LOAD_TOKENS)
    state_j = machine.kv_j_per_gb * shape.state_read * setup.state_bytes / 1e9
    step = graph * (graph_step / batch + token_j) + setup.eager * eager_step / batch + state_j + exchange_j
    eager_first = np.maximum(shape.eager_prefill * eager_step, graph_first)
    first = graph * graph_first + setup.eager * eager_first
    stream_j = graph * machine.stream_j * devices ** (1.0 + shape.stream_device_exponent)
    return Cost(
        fixed=first / batch,
        per_token=prefill_token_j,
        per_square=flop_j * shape.prefill_flop * shape.attention_flop * attention_tflop_per_square(setup.active_b),
        per_cached=kv_j,
        per_step=step,
        per_step_context=kv_j + machine.context_j / batch,
        per_stream=stream_j,
    )


def weights_at(setup: Setup, batch: Floats) -> Floats:
    """Parameters (1e9) read in one decode step of `batch` requests."""
    return weights_touched_b(setup.total_b, setup.active_b, batch, setup.routed_share)


def seconds(setup: Setup, machine: Machine, shape: Shape) -> Cost:
    """Seconds one request waits: its whole batch's steps, not its share of them. `per_stream` is unused (0)."""
    moe, batch = routed(setup), setup.batch
    graph = 1.0 - setup.eager
    ways = setup.devices**shape.device_s_exponent
    launches = (
        setup.layers * machine.launch_s * (1.0 + moe * (shape.moe_launch_s + shape.narrow_launch_s * setup.narrow))
    )
    gb_per_s = machine.weight_gb_per_s * ways
    tflop_per_s = machine.flop_tflop_per_s / setup.flop_factor * ways
    token_s = 2.0 * setup.active_b / 1e3 / tflop_per_s
    kv_s = setup.kv_bytes / 1e9 / gb_per_s
    weights_s = setup.weight_bytes * weights_at(setup, batch) / gb_per_s
    eager_launch_s = (
        machine.eager_layer_s * setup.layers * (1.0 + moe) * (1.0 + shape.recurrent_s * (setup.kv_bytes == 0.0))
    )
    eager_launch_s = eager_launch_s * (1.0 + shape.eager_narrow_s * setup.narrow)
    eager_launch_s = eager_launch_s * (1.0 - (1.0 - shape.eager_plain_s) * setup.plain)
    eager_launch_s = eager_launch_s * (setup.operations / EAGER_OPERATIONS) ** shape.eager_operations_s
    eager_step = (eager_launch_s**4 + (machine.eager_s_per_b * setup.active_b) ** 4) ** 0.25
    graph_first = launches * shape.prefill_launch_s + setup.weight_bytes * setup.total_b / gb_per_s
    return Cost(
        fixed=graph * graph_first + setup.eager * shape.eager_prefill_s * eager_step,
        per_token=token_s * (1.0 + moe * shape.moe_prefill),
        per_square=attention_tflop_per_square(setup.active_b) * shape.attention_flop / tflop_per_s,
        per_cached=kv_s,
        per_step=graph * (launches + weights_s + machine.stream_s * batch + token_s * batch) + setup.eager * eager_step,
        per_step_context=kv_s * batch + machine.context_s / setup.devices,
        per_stream=np.zeros_like(batch),
    )


def field_names(kind: type[Machine] | type[Shape] | type[Cost]) -> tuple[str, ...]:
    """The coefficient names of a dataclass above, in order: the artefact's keys."""
    return tuple(field.name for field in fields(kind))
