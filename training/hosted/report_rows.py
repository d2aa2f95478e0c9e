"""The parts of docs/validation-hosted.md about rows: prices, examples, cards, sensitivity, others' estimates, a small host."""

import math
from collections.abc import Sequence

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.hosted.artefact import CAUSES, HostedRow
from training.hosted import priors
from training.hosted.disclosures import BAND_PROMPTS, BANDS_MWH, BANDS_URL, ESTIMATED, PRICE_RATIOS, Published
from training.hosted.holdouts import Rows, Tokens, Wh
from training.hosted.posterior import Posterior, reference_price_usd
from training.hosted.sensitivity import Moved, alternatives, case_moved, moved, other_cases

PUE = 1.17
"""Of the facility in the comparisons, where nothing else is said: the middle of `hosted_scale`."""
REFERENCE_REQUEST = Tokens(priors.INPUT_TOKENS, priors.OUTPUT_TOKENS)
EXAMPLES = (
    *("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "gpt-5", "claude-sonnet-4", "claude-opus-4-5", "claude-haiku-4-5"),
    *("gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-pro", "mistral-large-2", "deepseek-v3", "deepseek-v4-flash"),
    *("kimi-k2", "glm-5", "llama-3.3-70b", "gpt-oss-120b"),
)
MOVED_MODELS = ("gpt-4o", "gemini-2.0-flash", "claude-opus-4-5", "deepseek-v3")

ByModel = dict[tuple[str, str], Posterior]
"""By model and kind of host."""


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def price_ratios() -> str:
    logs = [math.log(ratio) for _, ratio in PRICE_RATIOS]
    mean = math.fsum(logs) / len(logs)
    log_sd = math.sqrt(math.fsum((one - mean) ** 2 for one in logs) / (len(logs) - 1))
    ordered = sorted(ratio for _, ratio in PRICE_RATIOS)
    middle = (ordered[6] + ordered[7]) / 2
    return (
        table(
            ("service", "USD of list price per kWh of the facility"),
            [[what, f"{ratio:g}"] for what, ratio in PRICE_RATIOS],
        )
        + f"\n\nMedian {middle:.1f}, log-sd {log_sd:.2f}; used: {priors.BELIEFS.usd_per_kwh.median:g} and"
        f" {priors.BELIEFS.usd_per_kwh.log_sd:g}. Prices of models.dev (MIT), dated in the price table."
    )


def examples(rows: Rows, by_model: ByModel) -> str:
    lines = []
    for name in EXAMPLES:
        row = rows.hosted.find(name, "hosted_scale")
        if row is None:
            continue
        wh = rows.facility_wh(row, REFERENCE_REQUEST, PUE)
        found = by_model[name, row.profile]
        price = (
            "-"
            if found.case.price is None
            else f"{reference_price_usd(found.case.price) / priors.BELIEFS.usd_per_kwh.median * 1e3:.3f}"
        )
        causes = sorted(CAUSES, key=lambda cause: -row.causes[cause])[:3]
        lines.append(
            [
                name,
                price,
                f"{wh.mid:.3f} ({wh.low:.3f}-{wh.high:.3f})",
                f"{factor_of(row):.1f}",
                f"{row.price_weight:.2f}",
                f"{row.active_b:.3g} of {row.total_b:.4g}",
                f"{row.batch:.0f}",
                ", ".join(f"{cause} {row.causes[cause]:.2f}" for cause in causes),
            ]
        )
    head = (
        "model",
        "price alone, Wh",
        "Wh (80 %)",
        "factor",
        "weight of price",
        "active of total, 1e9",
        "batch",
        "causes",
    )
    return table(head, lines) + (
        f"\n\nFacility watt-hours at a PUE of {PUE}. Weight: how far the middle moves, in logarithms, when the price moves by one."
        " Causes: standard deviations of the logarithm, largest first; their squares add up to the row's own."
    )


def cards(by_model: ByModel) -> str:
    return "\n\n".join(_card(by_model, name) for name in ("gpt-4o", "deepseek-v3"))


def _card(by_model: ByModel, name: str) -> str:
    found = by_model[name, "hosted_scale"]
    price, ratio = found.case.price, priors.BELIEFS.usd_per_kwh
    assert price is not None
    prior = found.drawn.facility(found.drawn.gpu_j) / 3600.0
    logs = [math.log(value) for value in prior]
    middle = math.fsum(logs) / len(logs)
    log_sd = math.sqrt(math.fsum((one - middle) ** 2 for one in logs) / len(logs))
    usd = reference_price_usd(price)
    by_price = math.log(usd / ratio.median * 1e3)
    weight = log_sd**2 / (log_sd**2 + ratio.log_sd**2)
    by_hand = math.exp(middle + weight * (by_price - middle))
    sampled = math.exp(math.fsum(weight * value for weight, value in zip(found.weights, logs, strict=True)))
    return (
        f"**{name}.** {priors.INPUT_TOKENS} x {price.input:g} + {priors.OUTPUT_TOKENS} x {price.output:g} USD per million tokens"
        f" = {usd:.5f} USD; over {ratio.median:g} USD/kWh = {math.exp(by_price):.3f} Wh (log-sd {ratio.log_sd:g}). Physics alone:"
        f" {math.exp(middle):.3f} Wh (log-sd {log_sd:.2f}). Means of logarithms weighted with their precisions: the price has"
        f" {log_sd**2:.2f} / ({log_sd**2:.2f} + {ratio.log_sd**2:.2f}) = {weight:.2f}, so {by_hand:.3f} Wh, log-sd"
        f" {log_sd * math.sqrt(1 - weight):.2f}. The sampler says {sampled:.3f} Wh, log-sd {found.log_sd:.2f} with what is"
        " added for shared assumptions."
    )


def sensitivity(by_model: ByModel, law: Artefact) -> str:
    found = {name: by_model[name, "hosted_scale"] for name in MOVED_MODELS}
    lines = [
        [label, *(_moved(moved(found[name].case, law, beliefs)) for name in MOVED_MODELS)]
        for label, beliefs in alternatives().items()
    ]
    others = {name: other_cases(found[name].case) for name in MOVED_MODELS}
    for label in others[MOVED_MODELS[0]]:
        cells = (_moved(case_moved(found[name].case, law, others[name][label])) for name in MOVED_MODELS)
        lines.append([label, *cells])
    head = ("belief", *MOVED_MODELS)
    shipped = ["as shipped", *(f"1.00, {math.exp(2 * priors.Z80 * found[name].log_sd):.1f}" for name in MOVED_MODELS)]
    return (
        table(head, [shipped, *lines])
        + "\n\nMiddle over the shipped one, and the factor between the ends of the 80 % range."
    )


def estimates(rows: Rows) -> str:
    lines = [published_line(rows, one) for one in ESTIMATED]
    head = ("who, what", "tokens", "theirs, Wh", "ours, Wh (80 %)", "inside", "remark")
    return table(head, lines) + (
        "\n\nLeaderboards at batch 1 (AI Energy Score 8.5 Wh a query of gpt-oss-120b) are 50 to 1,000 times above production and"
        " say nothing of it."
    )


def small_host(rows: Rows) -> str:
    lines = []
    prompt = math.sqrt(BAND_PROMPTS[0] * BAND_PROMPTS[1])
    for name, mwh in BANDS_MWH.items():
        row = rows.hosted.find(name, "hosted_small")
        if row is None:
            continue
        ours = [rows.gpu_j(row, Tokens(prompt, outputs)) / 3.6 for outputs in (100, 300, 1000)]
        lines.append(
            [name, f"{mwh:g}", *(f"{one:.0f}" for one in ours), f"{_implied_outputs(rows, row, prompt, mwh):,.0f}"]
        )
    head = ("model", "metered, mWh", "100 out", "300 out", "1,000 out", "outputs that give the metered figure")
    return (
        f"[Neuralwatt]({BANDS_URL}) has published the mean accelerator energy of requests by the length of their prompts, not"
        f" the tokens out: for prompts of 1,000 to 4,000 tokens, beside ours for {prompt:,.0f} tokens in, none cached, by"
        " `hosted_small`:\n\n"
        + table(head, lines)
        + "\n\nAgents' requests have some hundred tokens out. Requests with their tokens, from this host, were kept aside to judge"
        " the rows and have not been seen here."
    )


def _implied_outputs(rows: Rows, row: HostedRow, prompt: float, mwh: float) -> float:
    """Output tokens at which the middle is the metered figure, by halving; 0 where the prompt alone costs more."""
    low, high = 0.0, 1e6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rows.gpu_j(row, Tokens(prompt, middle)) < mwh * 3.6 else (low, middle)
    return low


def published_line(rows: Rows, one: Published) -> list[str]:
    ours = ours_of(rows, one)
    tokens = f"{one.tokens.inputs:,.0f} in, {one.tokens.outputs:,.0f} out" + (
        "" if one.tokens_published else " (supposed)"
    )
    span = f" ({one.low_wh:.2f}-{one.high_wh:.2f})" if one.high_wh > one.low_wh else ""
    verdict = inside(ours, one) if one.tokens_published else f"{inside(ours, one)}, but no test"
    return [
        f"[{one.who}]({one.url}), {one.what}, as {one.model_id}",
        tokens,
        f"{one.wh:.2f}{span}",
        f"{ours.mid:.3f} ({ours.low:.3f}-{ours.high:.3f})",
        verdict,
        one.remark,
    ]


def ours_of(rows: Rows, one: Published) -> Wh:
    return rows.facility_wh(rows.row(one.model_id), one.tokens, PUE)


def inside(ours: Wh, one: Published) -> str:
    return "inside" if ours.holds(one.wh) else "**outside**"


def factor_of(row: HostedRow) -> float:
    return math.exp(2.0 * priors.Z80 * row.log_sd)


def _moved(found: Moved) -> str:
    return f"{found.middle:.2f}, {found.factor:.1f}"
