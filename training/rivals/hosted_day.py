"""One published day of a hosted model, in front of every tool: DeepSeek's own counts of 27 and 28 February 2025.

github.com/deepseek-ai/open-infra-index, 202502OpenSourceWeek/day_6: 608 B input tokens, 342 B of them cached, 168 B output tokens,
226.75 nodes of 8 H800 on average. A node's power is not in it: 6.2 kW, the wall of an 8 x H200 server at full load (MLPerf
v4.1-0049: 6.15 to 6.28 kW); 5.0 to 10.2 kW are the ends (power-limited, nameplate).
"""

from dataclasses import dataclass

from training.rivals import ecologits, llmcarbon, mlco2

INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = 608e9, 342e9, 168e9
NODES, NODE_GPUS, HOURS = 226.75, 8, 24.0
NODE_KW = (5.0, 6.2, 10.2)
TOTAL_B, ACTIVE_B = 671.0, 37.0
TDP_W, PEAK_TFLOP_PER_S = 700.0, 989.0
"""H800: the H100's power and operations, with narrower links."""
KWH_PER_J = 1 / 3.6e6


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says of the day, MWh of IT energy, and what it had to be told. None: it cannot say."""

    tool: str
    told: str
    mwh: float | None


def measured_mwh() -> tuple[float, float, float]:
    """IT energy of the day: low, middle, high node power."""
    low, mid, high = (NODES * kw * HOURS / 1e3 for kw in NODE_KW)
    return low, mid, high


def answers() -> list[Answer]:
    processed = INPUT_TOKENS - CACHED_TOKENS + OUTPUT_TOKENS
    flop = llmcarbon.operations(ACTIVE_B, processed)
    by_paper = llmcarbon.paper_j(flop, TDP_W, PEAK_TFLOP_PER_S)
    by_code = llmcarbon.code_j(flop, ACTIVE_B, TDP_W, PEAK_TFLOP_PER_S)
    hours = NODES * NODE_GPUS * HOURS
    of_ecologits = ecologits.it_j_per_token(TOTAL_B, ACTIVE_B) * OUTPUT_TOKENS
    return [
        Answer("EcoLogits 0.11.3", "model, output tokens", of_ecologits * KWH_PER_J / 1e3),
        Answer("LLMCarbon, the paper's equations", "model, GPU, tokens that were computed", by_paper * KWH_PER_J / 1e3),
        Answer("LLMCarbon, its code", "model, GPU, tokens that were computed", by_code * KWH_PER_J / 1e3),
        Answer("MLCO2 Impact", "GPU, its hours (from DeepSeek alone)", mlco2.energy_kwh(TDP_W, hours) / 1e3),
        Answer("CodeCarbon, Eco2AI", "to run on those nodes", None),
    ]
