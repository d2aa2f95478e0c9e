"""Writes docs/validation-hosted.md: every number in it is computed here."""

from collections.abc import Sequence
from pathlib import Path

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.hosted.artefact import HOSTED_FILE, parse_hosted
from rice_stream.reference.lookup import Reference
from training.hosted import draws
from training.hosted.bounds import violations
from training.hosted.disclosures import DEEPSEEK_URL, DISCLOSED, MISTRAL_GCO2E, MISTRAL_TOKENS, MISTRAL_URL
from training.hosted.holdouts import DeepSeekDay, Rows, Tokens
from training.hosted.posterior import Posterior, posterior
from training.hosted.report_rows import (
    PUE,
    REFERENCE_REQUEST,
    ByModel,
    cards,
    estimates,
    examples,
    factor_of,
    inside,
    ours_of,
    price_ratios,
    published_line,
    sensitivity,
    small_host,
    table,
)
from training.hosted.rows import row, serialise
from training.hosted.sensitivity import plainer
from training.hosted.text import FITTED, INTRODUCTION, LIMITS

PAGE = Path(__file__).parent.parent.parent / "docs" / "validation-hosted.md"
CLOSED_SIZE_LOG_SD = 0.02
"""A model whose size is uncertain at all is a closed one."""
ABOVE_200B = ("gpt-4o", "gpt-4.1", "o3", "gpt-5", "claude-sonnet-4", "gemini-2.5-pro", "llama-3.1-405b", "deepseek-v3")


def page(rows: Rows, posteriors: Sequence[Posterior], law: Artefact, reference: Reference) -> str:
    """The whole page."""
    by_model: ByModel = {(model, one.case.profile): one for one in posteriors for model in one.case.model_ids}
    sections = [
        INTRODUCTION.format(draws=f"{draws.COUNT:,}"),
        "## 1. Against the targets\n",
        _targets(rows),
        "\n## 2. Every disclosure beside our figure for the same tokens\n",
        _disclosures(rows, reference),
        "\n## 3. What is fitted to what",
        FITTED,
        _mixtures_at_scale(by_model, law),
        price_ratios(),
        "\n## 4. Some rows, 500 tokens in and 250 out\n",
        examples(rows, by_model),
        "\n## 5. Two cards worked by hand\n",
        cards(by_model),
        "\n## 6. If a belief were another\n",
        sensitivity(by_model, law),
        "\n## 7. Others' estimates\n",
        estimates(rows),
        "\n## 8. A small host's metered requests\n",
        small_host(rows),
        LIMITS,
    ]
    return "\n".join(sections)


def _targets(rows: Rows) -> str:
    day, microsoft = DeepSeekDay(), DISCLOSED[0]
    ours = rows.facility_wh(rows.row("deepseek-v3"), day.request, day.pue)
    disclosed = day.request_wh(day.node_kw)
    gpt_4o = ours_of(rows, microsoft)
    closed = [row for row in rows.hosted.rows if row.price is not None and row.causes["size"] > CLOSED_SIZE_LOG_SD]
    scale = [row for row in closed if row.profile == "hosted_scale"]
    widest = max(scale, key=lambda row: row.log_sd)
    found = violations(rows)
    prices = {row.family: round(rows.facility_wh(row, REFERENCE_REQUEST, PUE).mid, 6) for row in scale}
    return table(
        ("what", "bar", "reached"),
        [
            (
                "DeepSeek's day: facility energy (not blind: section 3)",
                "inside, middle within a factor 1.8",
                f"{'inside' if ours.holds(disclosed) else '**outside**'}, x {ours.mid / disclosed:.2f}",
            ),
            (
                "Microsoft's 0.31 Wh (0.16-0.60), 500 in, 300 out, gpt-4o",
                "inside, middle within a factor 1.6",
                f"{inside(gpt_4o, microsoft)}, x {gpt_4o.mid / microsoft.wh:.2f}",
            ),
            (
                "middle above list price / 1 USD per kWh of the facility, any ratio of tokens (up to 2,000 of each)",
                "0 rows",
                f"{len(found)} rows",
            ),
            (
                "80 % range of the energy, closed model with a price, at its vendor or a hyperscaler",
                "factor <= 4.6",
                f"{factor_of(widest):.1f} at most ({widest.family}); {sum(factor_of(row) <= 4.6 for row in scale)} of {len(scale)}",
            ),
            (
                "models of other vendors or at other prices",
                "other numbers",
                f"{len(set(prices.values()))} middles of {len(prices)} closed families with a price",
            ),
        ],
    )


def _disclosures(rows: Rows, reference: Reference) -> str:
    day, deepseek = DeepSeekDay(), rows.row("deepseek-v3")
    ours, request = rows.facility_wh(deepseek, day.request, day.pue), day.request
    middle, low, high = (day.request_wh(kw) for kw in (day.node_kw, day.node_kw_low, day.node_kw_high))
    lines = [
        [
            f"[DeepSeek]({DEEPSEEK_URL}), a day of V3 and R1, per request",
            f"{request.inputs:,.0f} in ({request.cached:,.0f} cached), {request.outputs:,.0f} out",
            f"{middle:.3f} ({low:.3f}-{high:.3f})",
            f"{ours.mid:.3f} ({ours.low:.3f}-{ours.high:.3f})",
            "yes" if ours.holds(middle) else "**no**",
            f"{day.nodes} nodes x 6.2 kW (5.0-10.2) x PUE {day.pue}: {day.facility_mwh(day.node_kw):.1f} MWh",
        ]
    ]
    lines += [published_line(rows, one) for one in DISCLOSED]
    lines.append(_mistral_line(rows, reference))
    head = ("who, what", "tokens", "disclosed, Wh", "ours, Wh (80 %)", "inside", "remark")
    day_lines = (
        f"\n\nDeepSeek's mean request follows from its counts: {day.inputs / 1e9:.0f} billion tokens in, of which"
        f" {day.cached / day.inputs:.1%} cached, {day.outputs / 1e9:.0f} billion out, and a mean cache of"
        f" {day.context_tokens:,.0f} tokens (the prompt and half of the answer). Node power is not published: 6.2 kW is the wall"
        " power of 8 x H200 at full load (MLPerf Inference v4.1-0049), 10.2 kW the nameplate.\n\n"
        "Models above 200 B for Microsoft's request (500 in, 300 out; 0.31 Wh, 0.16 to 0.60):\n\n"
    )
    models = [
        [
            name,
            f"{wh.mid:.3f} ({wh.low:.3f}-{wh.high:.3f})",
            f"x {wh.mid / 0.31:.2f}",
            "yes" if wh.holds(0.31) else "no",
        ]
        for name in ABOVE_200B
        for wh in [rows.facility_wh(rows.row(name), Tokens(500, 300), PUE)]
    ]
    return (
        table(head, lines)
        + day_lines
        + table(("model", "ours, Wh (80 %)", "of 0.31", "0.31 inside"), models)
        + "\n\nMicrosoft's figure is of dense and sparse open models on H100 at public throughputs, at small batches; DeepSeek's"
        " own counts are four times below it for DeepSeek's model. A figure cannot be inside both."
    )


def _mixtures_at_scale(by_model: ByModel, law: Artefact) -> str:
    """DeepSeek's day and Microsoft's figure without what is believed of mixtures at scale."""
    day, microsoft = DeepSeekDay(), DISCLOSED[0]
    asked = (
        ("deepseek-v3", day.request, day.pue, day.request_wh(day.node_kw)),
        ("gpt-4o", microsoft.tokens, PUE, microsoft.wh),
    )
    lines = []
    for label, beliefs in plainer().items():
        cells = [label]
        for name, tokens, pue, disclosed in asked:
            line = row(posterior(by_model[name, "hosted_scale"].case, law, beliefs))
            rows = Rows(parse_hosted(serialise([line]), HOSTED_FILE), law)
            ours = rows.facility_wh(rows.row(name), tokens, pue)
            cells.append(f"x {ours.mid / disclosed:.2f}, {'inside' if ours.holds(disclosed) else '**outside**'}")
        lines.append(cells)
    return table(("mixtures at scale", "DeepSeek's day", "Microsoft's figure, gpt-4o"), lines) + "\n"


def _mistral_line(rows: Rows, reference: Reference) -> list[str]:
    ours = rows.facility_wh(rows.row("mistral-large-2"), MISTRAL_TOKENS, PUE)
    grids = {
        name: reference.resolve_region(code, None, "lifecycle", 1_753_142_400_000_000).rci_gco2e_per_kwh.mid
        for name, code in (("France", "FR"), ("the United States", "US"))
    }
    grams = ", ".join(f"{ours.mid * rate / 1e3:.3f} g in {name} ({rate:.0f} g/kWh)" for name, rate in grids.items())
    return [
        f"[Mistral]({MISTRAL_URL}), Le Chat, Mistral Large 2",
        f"{MISTRAL_TOKENS.outputs:.0f} out",
        f"{MISTRAL_GCO2E} gCO2e",
        f"{ours.mid:.3f} ({ours.low:.3f}-{ours.high:.3f}): {grams}",
        "**no**",
        "a life-cycle figure with the making of hardware; its parts are not published, so it cannot be compared",
    ]
