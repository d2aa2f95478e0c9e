"""What providers and others have published about hosted models: figures only, each with its address."""

from dataclasses import dataclass

from training.hosted.holdouts import Tokens

DEEPSEEK_URL = "https://github.com/deepseek-ai/open-infra-index"


@dataclass(frozen=True, slots=True)
class Published:
    """One figure for one request, in watt-hours of the facility."""

    who: str
    what: str
    model_id: str
    """The row that answers for it."""
    tokens: Tokens
    tokens_published: bool
    """False where the figure comes without token counts and `tokens` is a supposition."""
    wh: float
    low_wh: float
    high_wh: float
    url: str
    remark: str = ""


DISCLOSED = (
    Published(
        *(
            "Microsoft",
            "typical query of models above 200 B on H100",
            "gpt-4o",
            Tokens(500, 300),
            True,
            0.31,
            0.16,
            0.60,
        ),
        "https://arxiv.org/abs/2509.20241",
        "a model of public throughputs, peer reviewed; range: middle half",
    ),
    Published(
        *("OpenAI", "average ChatGPT query", "gpt-4o", Tokens(500, 300), False, 0.34, 0.34, 0.34),
        "https://blog.samaltman.com/the-gentle-singularity",
        "a sentence; boundary not said",
    ),
    Published(
        *("OpenAI", "the same, longer", "gpt-4o", Tokens(900, 350), False, 0.34, 0.34, 0.34),
        "https://blog.samaltman.com/the-gentle-singularity",
        "the tokens that give the published figure",
    ),
    Published(
        *("Google", "median Gemini Apps text prompt", "gemini-2.5-flash", Tokens(500, 1000), False, 0.24, 0.24, 0.24),
        "https://arxiv.org/abs/2508.15734",
        "method published (CC BY 4.0); model and tokens not",
    ),
)
"""Held out: no coefficient is fitted to them. DeepSeek's day is `holdouts.DeepSeekDay`, Mistral's figure `MISTRAL_*` below."""

MISTRAL_GCO2E, MISTRAL_TOKENS = 1.14, Tokens(100, 400)
MISTRAL_URL = "https://mistral.ai/news/our-contribution-to-a-global-environmental-standard-for-ai"

ESTIMATED = (
    Published(
        *("Epoch AI", "GPT-4o, 500 tokens out", "gpt-4o", Tokens(100, 500), True, 0.30, 0.30, 0.30),
        "https://epoch.ai/gradient-updates/how-much-energy-does-chatgpt-use",
        "100 B active of 400 B, 10 % of peak operations",
    ),
    Published(
        *("Epoch AI", "GPT-4o, 10,000 tokens in", "gpt-4o", Tokens(10000, 500), True, 2.5, 2.5, 2.5),
        "https://epoch.ai/gradient-updates/how-much-energy-does-chatgpt-use",
        "by its author an upper end",
    ),
    Published(
        *(
            "EcoLogits 0.9+",
            "Mistral Large 2, 400 tokens out",
            "mistral-large-2",
            Tokens(100, 400),
            True,
            0.23,
            0.23,
            0.23,
        ),
        "https://ecologits.ai/latest/methodology/",
        "input is not counted",
    ),
    Published(
        *("Jegham et al.", "GPT-4o, 100 in, 300 out", "gpt-4o", Tokens(100, 300), True, 0.42, 0.42, 0.42),
        "https://arxiv.org/abs/2505.09598",
        "latency x share of a node at a batch of 8",
    ),
    Published(
        *(
            "Jegham et al.",
            "Claude 3.7 Sonnet, 100 in, 300 out",
            "claude-3-7-sonnet",
            Tokens(100, 300),
            True,
            0.84,
            0.84,
            0.84,
        ),
        "https://arxiv.org/abs/2505.09598",
        "the same method",
    ),
)
"""Others' estimates: neither evidence nor judges."""

BANDS_MWH = {
    "deepseek-v4-flash": 41.0,
    "glm-5": 219.0,
    "kimi-k2-thinking": 490.0,
    "gemma-4-31b": 37.0,
    "qwen3.6-35b-a3b": 18.0,
}
"""Neuralwatt, July and August 2026: mean accelerator energy (NVML, in milliwatt-hours) of requests with prompts of 1,000 to
4,000 tokens; output tokens are not published. Metered at one small host, shared out by tokens in flight."""
BAND_PROMPTS = (1000.0, 4000.0)
BANDS_URL = "https://github.com/theflukeman/unofficial-neuralwatt-usage-insights"

PRICE_RATIOS = (
    ("Neuralwatt deepseek-v4-flash (1,021 requests)", 11.3),
    ("Neuralwatt glm-5.2 (15)", 11.8),
    ("Neuralwatt glm-5.2-short (3,907)", 20.0),
    ("Neuralwatt glm-5.2-short-flex (980)", 13.2),
    ("Neuralwatt kimi-k2.7-code (1,324)", 28.3),
    ("Neuralwatt kimi-k2.7-code-flex (44)", 41.1),
    ("Neuralwatt qwen3.5-397b (186)", 24.9),
    ("Neuralwatt qwen3.6-35b (30)", 10.8),
    ("DeepSeek's day at V3 prices, 6.2 kW a node", 6.6),
    ("DeepSeek's day at R1 prices", 13.3),
    ("Crusoe DeepSeek-R1, 8 x H200, InferenceMAX provisioned x 0.65", 7.7),
    ("gpt-oss-120b, B200, InferenceMAX provisioned x 0.65", 15.8),
    ("Llama-3.1-405B, H100, ML.ENERGY", 4.5),
    ("Llama-3.3-70B, H100, ML.ENERGY x 1.7", 3.0),
)
"""USD of list price per kWh of the facility, where the energy is metered or follows from exact counts."""
