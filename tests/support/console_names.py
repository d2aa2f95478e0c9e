"""The names in the dashboard's ledger: plain ones, and the same with HTML, templates and turned writing planted in each."""

from dataclasses import dataclass
from typing import NamedTuple

NORTHWIND, ACME, HELIX = "northwind", "acme-energy", "helix-pharma"
ZONES = {NORTHWIND: "Europe/Berlin", ACME: "America/New_York", HELIX: "Asia/Kathmandu"}
RISING = "research"
"""The team of northwind that went over to a larger model a week ago."""
LONE_KEY = "key-intern-notebook"
"""A key whose prompts name no team."""
UNKNOWN_MODEL = "helix-internal-13b-v2"


class Served(NamedTuple):
    """A model as one provider serves it."""

    provider: str
    requested: str
    answered: str
    source: str = "/gateway"
    joules_per_output_token: float | None = None
    """What the server's own meter says, where it has one."""


GPT_4O = Served("azure.ai.openai", "gpt-4o", "gpt-4o-2024-11-20")
GPT_41_MINI = Served("azure.ai.openai", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14")
GPT_5 = Served("openai", "gpt-5", "gpt-5-2025-08-07")
GPT_5_MINI = Served("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07")
SONNET = Served("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929")
HAIKU = Served("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001")
GEMINI_FLASH = Served("gcp.vertex_ai", "gemini-2.5-flash", "gemini-2.5-flash")
MISTRAL = Served("mistral_ai", "mistral-large-latest", "mistral-large-2512")
LLAMA_70B = Served("azure.ai.inference", "Llama-3.3-70B-Instruct", "Llama-3.3-70B-Instruct")
LLAMA_8B = Served("vllm", "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", "/vllm-helix", 0.55)
DEEPSEEK = Served("azure.ai.inference", "DeepSeek-R1", "DeepSeek-R1")
INTERNAL = Served("vllm", UNKNOWN_MODEL, UNKNOWN_MODEL, "/vllm-helix")


@dataclass(frozen=True)
class Team:
    """A team and its working day."""

    tenant: str
    name: str
    projects: tuple[str, ...]
    prompts: int
    """On a working day."""
    models: tuple[tuple[Served, float], ...]
    tokens: tuple[int, int]
    """Median input and output of a prompt."""
    region: str


GERMANY, VIRGINIA, JAPAN = "azure:germanywestcentral", "aws:us-east-1", "azure:japaneast"
TEAMS = (
    Team(NORTHWIND, "search", ("ranker", "document-qa"), 52, ((GPT_41_MINI, 6), (HAIKU, 3)), (3_800, 320), GERMANY),
    Team(NORTHWIND, "support", ("helpdesk-bot",), 44, ((GPT_4O, 5), (MISTRAL, 3)), (2_600, 380), GERMANY),
    Team(NORTHWIND, RISING, ("analyst", "evaluation"), 26, ((GPT_5_MINI, 6), (LLAMA_70B, 2)), (6_500, 900), GERMANY),
    Team(ACME, "engineering", ("ide-assistant", "code-review"), 48, ((SONNET, 6), (GPT_5, 2)), (9_000, 700), VIRGINIA),
    Team(ACME, "trading", ("market-notes",), 22, ((GEMINI_FLASH, 5), (GPT_4O, 2)), (5_200, 450), VIRGINIA),
    Team(ACME, "customer-care", ("chat",), 30, ((HAIKU, 6), (GPT_41_MINI, 2)), (1_900, 260), VIRGINIA),
    Team(HELIX, "discovery", ("protein-notes", "screening"), 24, ((LLAMA_8B, 5), (INTERNAL, 1)), (4_100, 850), JAPAN),
    Team(HELIX, "regulatory", ("dossier",), 16, ((MISTRAL, 4), (LLAMA_70B, 2)), (12_000, 1_100), JAPAN),
)
RISEN = ((DEEPSEEK, 7.0), (GPT_5_MINI, 2.0))
"""What `RISING` uses since a week ago."""


class Names:
    """What stands in the ledger for a name; here: itself."""

    def of(self, name: str) -> str:
        """The name as it is stored."""
        return name

    def of_budget(self, name: str) -> str:
        """The same for a budget, which stands in addresses: printable, without a slash."""
        return self.of(name)


class HostileNames(Names):
    """Every name carries something that a careless page would run, or that turns its line around."""

    PLANTED = (
        "<script>window.owned=1</script>",
        '"><img src=x onerror="window.owned=1">',
        "{{7*7}}${7*7}",
        "\u202eesrever",
        "'-window.owned=1-'",
        "</title></textarea><svg onload=window.owned=1>",
        "javascript:window.owned=1//",
        "&lt;b&gt;&amp;",
    )

    def of(self, name: str) -> str:
        """The name with one of them behind it: the same one for the same name."""
        return f"{name} {self.PLANTED[sum(name.encode()) % len(self.PLANTED)]}"

    def of_budget(self, name: str) -> str:
        """See `Names`."""
        planted = [each for each in self.PLANTED if each.isprintable() and "/" not in each]
        return f"{name} {planted[sum(name.encode()) % len(planted)]}"
