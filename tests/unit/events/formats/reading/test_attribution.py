"""Tenants by rules, attributes and ladders; regions by endpoint; times and names in their spellings."""

import pytest

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.attribution import AttributionRule, parse_rules
from rice_stream.events.formats.reading.moments import milliseconds, moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.regions import in_cloud, of_endpoint
from rice_stream.events.formats.reading.text_lengths import characters, characters_of_json
from rice_stream.events.formats.reading.values import coerced, flag, text
from rice_stream.events.formats.reading.vocabulary import known_provider, operation, provider
from rice_stream.events.records import RefusedError
from tests.support.format_payloads import FILES, SEMCONV_136, as_json, as_protobuf, only_event, span, traces

LITELLM = FILES["litellm_success.json"]


def tenant_of(value: bytes, *rules: AttributionRule, **attributes: tuple[str, ...]) -> str:
    return only_event(value, FormatOptions(rules=rules, attributes=attributes), stamped=True).tenant_id


@pytest.mark.parametrize(
    ("rule", "tenant"),
    [
        (AttributionRule("metadata.user_api_key_alias", pattern=r"([a-z]+)-ci"), "search"),
        (
            AttributionRule("metadata.user_api_key_alias", pattern=r"(?P<who>[a-z]+)-(ci)", value=r"\2-\g<who>"),
            "ci-search",
        ),
        (AttributionRule("metadata.user_api_key_alias", pattern=r".*"), "search-ci"),
        (AttributionRule("metadata.user_api_key_hash", table={"hash-1": "blue"}), "blue"),
        (AttributionRule("metadata.user_api_key_alias", pattern=r"([a-z]+)-ci", table={"search": "green"}), "green"),
        (AttributionRule("tags", pattern=r"cost-centre:(.*)"), "cc-17"),
        (AttributionRule("kafka.topic"), "requests"),
        (AttributionRule("kafka.key", pattern=r"key-(\d)"), "1"),
        (AttributionRule("end_user"), "customer-9"),
        # Rules that say nothing leave the format's own ladder.
        (AttributionRule("metadata.user_api_key_alias", pattern=r"search"), "team-a"),
        (AttributionRule("metadata.user_api_key_hash", table={"other": "blue"}), "team-a"),
        (AttributionRule("nowhere.at.all"), "team-a"),
        (AttributionRule("messages"), "team-a"),
    ],
)
def test_a_rule_names_the_tenant_by_table_pattern_or_as_it_is(rule: AttributionRule, tenant: str) -> None:
    assert tenant_of(LITELLM, rule) == tenant


def test_rules_go_before_attributes_and_attributes_before_the_formats_ladder() -> None:
    rule = AttributionRule("end_user")
    assert tenant_of(LITELLM, rule, tenant_id=("metadata.user_api_key_org_id",)) == "customer-9"
    assert tenant_of(LITELLM, tenant_id=("nowhere", "metadata.user_api_key_org_id")) == "org-1"
    assert tenant_of(LITELLM) == "team-a"


def test_the_first_rule_that_says_something_stands() -> None:
    first = AttributionRule("end_user", table={"somebody-else": "x"})
    assert tenant_of(LITELLM, first, AttributionRule("model"), AttributionRule("end_user")) == "gpt-4o"


def test_a_record_header_may_name_the_tenant() -> None:
    options = FormatOptions(rules=(AttributionRule("kafka.header.X-Tenant"),))
    assert only_event(LITELLM, options, headers=(("x-tenant", b"blue"),)).tenant_id == "blue"


def test_spans_are_charged_by_service_name_and_any_configured_attribute() -> None:
    message = traces(span({**SEMCONV_136, "my.team": "t-9"}), resource={"service.name": "svc-ranker-eu"})
    rules = (AttributionRule("service.name", pattern=r"svc-([a-z]+)-.*"),)
    options = FormatOptions(rules=rules, attributes={"team_id": ("my.team",)})
    for value in (as_json(message), as_protobuf(message)):
        event = only_event(value, options)
        assert (event.tenant_id, event.team_id) == ("ranker", "t-9")


def test_rules_may_set_the_other_fields_too() -> None:
    rules = (AttributionRule("tags", pattern="prod", sets="project_id"), AttributionRule("end_user", sets="user_id"))
    event = only_event(LITELLM, FormatOptions(rules=rules))
    assert (event.project_id, event.user_id, event.tenant_id) == ("prod", "customer-9", "team-a")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"attribute": "a", "pattern": "("}, "pattern"),
        ({"attribute": "a", "pattern": "(x)", "value": r"\2"}, "group reference"),
        ({"attribute": "a", "value": "x"}, "there is none"),
        ({"attribute": "a", "sets": "tenant"}, "must be one of tenant_id"),
        ({"attribute": "a", "tabel": {}}, "not tabel"),
        ({"attribute": "a", "table": ["x"]}, "must map"),
        ({"attribute": ""}, "must name"),
        ({"pattern": "x"}, "attribute is missing"),
    ],
)
def test_a_rule_that_cannot_work_is_a_usage_error_that_says_why(row: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_rules([row])


def test_rules_are_read_from_plain_rows() -> None:
    rows: list[dict[str, object]] = [
        {"attribute": "a", "pattern": "(x)", "value": r"\1"},
        {"attribute": "b", "table": {"k": "v"}, "sets": "team_id"},
    ]
    assert parse_rules(rows) == (
        AttributionRule("a", pattern="(x)", value=r"\1"),
        AttributionRule("b", table={"k": "v"}, sets="team_id"),
    )


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("https://bedrock-runtime.eu-west-3.amazonaws.com/model/x/invoke", "aws:eu-west-3"),
        ("vpce-0123-abc.bedrock-runtime.us-gov-west-1.vpce.amazonaws.com", "aws:us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "aws:cn-north-1"),
        ("https://bedrock-mantle.us-east-2.api.aws/v1", "aws:us-east-2"),
        ("us-central1-aiplatform.googleapis.com:443", "gcp:us-central1"),
        ("https://aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/x", "gcp:europe-west4"),
        ("https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/x", None),
        ("https://aiplatform.eu.rep.googleapis.com/v1", "eu"),
        ("https://swedencentral.api.cognitive.microsoft.com/openai", "azure:swedencentral"),
        ("https://my-llama.eastus2.models.ai.azure.com", "azure:eastus2"),
        ("https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com", "oci:eu-frankfurt-1"),
        ("https://eu.api.openai.com/v1", "eu"),
        ("https://api.openai.com/v1", None),
        ("https://my-resource.openai.azure.com/", None),
        ("https://evil.example/bedrock-runtime.eu-west-3.amazonaws.com", None),
        ("10.0.0.7:8000", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_an_endpoints_host_names_its_region_or_nothing(address: object, region: str | None) -> None:
    assert of_endpoint(address) == region


def test_a_region_is_written_with_its_cloud_where_the_cloud_is_known() -> None:
    assert in_cloud("aws", "us-east-1") == "aws:us-east-1"
    assert in_cloud("oracle_cloud", "eu-frankfurt-1") == "oci:eu-frankfurt-1"
    assert in_cloud("alibaba_cloud", "cn-hangzhou") == "cn-hangzhou"
    assert in_cloud("aws", "aws:us-east-1") == "aws:us-east-1"
    assert in_cloud("aws", "global") is None


@pytest.mark.parametrize(
    ("value", "us"),
    [
        (1_795_374_003, 1_795_374_003_000_000),
        (1_795_374_003.5, 1_795_374_003_500_000),
        (1_795_374_003_500, 1_795_374_003_500_000),
        (1_795_374_003_500_001, 1_795_374_003_500_001),
        (1_795_374_003_500_001_999, 1_795_374_003_500_001),
        ("1795374003", 1_795_374_003_000_000),
        ("Sun, 22 Nov 2026 19:00:03 GMT", 1_795_374_003_000_000),
        ("2026-11-22T11:00:03.5-08:00", 1_795_374_003_500_000),
        (None, None),
        ("-", None),
        ("", None),
    ],
)
def test_points_in_time_in_all_their_units_and_spellings(value: object, us: int | None) -> None:
    found = moment(value, "f")
    assert (None if found is None else found.us) == us


@pytest.mark.parametrize("value", [True, [], {}, "soon", -1, float("nan"), float("inf"), "Thu, 99 Feb 2025", "9" * 30])
def test_what_is_no_point_in_time_is_refused_by_the_fields_name(value: object) -> None:
    with pytest.raises(RefusedError, match=r"^f: "):
        moment(value, "f")


def test_durations_are_milliseconds_and_anything_odd_is_none() -> None:
    assert [milliseconds(value) for value in (2500, "2500", 0.5, 0)] == [2_500_000, 2_500_000, 500, 0]
    odd: tuple[object, ...] = (-1, "x", True, None, float("nan"), 1e300, [])
    assert [milliseconds(value) for value in odd] == [None] * 7


def test_values_in_their_spellings() -> None:
    assert [coerced(value) for value in (5, 5.0, "5", " 5.00 ", "-5")] == [5, 5, 5, 5, -5]
    assert [coerced(value) for value in (True, 5.5, "5.5", "five", "", None, "5" * 40, "٥", float("inf"))] == [None] * 9
    assert [flag(value) for value in (True, "True", "1", "False", "", "maybe", 1)] == [
        True,
        True,
        True,
        False,
        None,
        None,
        None,
    ]
    assert [text(value) for value in (" x ", "", "-", 7, True, 10**30, None, ["x"])] == [
        "x",
        None,
        None,
        "7",
        *[None] * 4,
    ]


def test_names_of_providers_and_operations_become_opentelemetrys() -> None:
    spelled = ("Bedrock_Converse", "azure", "vertex_ai", "xai", "openai", "some-cloud", "", None)
    assert [provider(name) for name in spelled] == [
        "aws.bedrock",
        "azure.ai.openai",
        "gcp.vertex_ai",
        "x_ai",
        "openai",
        "some-cloud",
        None,
        None,
    ]
    assert (known_provider("my-backend"), known_provider("OpenAI")) == (None, "openai")
    assert [operation(name) for name in ("aembedding", "acompletion", "Chat", "invoke_agent", None)] == [
        "embeddings",
        "chat",
        "chat",
        None,
        None,
    ]


def test_the_length_of_text_counts_what_is_read_or_written_and_nothing_around_it() -> None:
    """5 + 3 + 4 = 12 characters: roles, types and pictures are no text."""
    messages = [
        {"role": "system", "content": "hello"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "abc"}, {"type": "image_url", "image_url": {"url": "xxxx"}}],
        },
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"arguments": "{10}"}}]},
    ]
    assert characters(messages) == 12
    assert characters_of_json('[{"content":"hello"}]') == 5
    assert characters_of_json("[not json") == 9
    nothing: tuple[object, ...] = (None, [], {}, 7, "", "redacted-by-litellm")
    assert [characters(value) for value in nothing] == [None] * 6
