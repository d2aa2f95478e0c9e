"""Files as providers give them out, made from their public descriptions: what each states, by hand."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.reports.usage_exports import reading
from rice_stream.reports.usage_exports.model_names import base_name
from rice_stream.reports.usage_exports.reading import READERS, read_usage, usage_text

OPENAI = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1_761_955_200,
            "end_time": 1_762_041_600,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1000,
                    "output_tokens": 500,
                    "input_cached_tokens": 800,
                    "num_model_requests": 5,
                    "model": "gpt-4o-2024-08-06",
                }
            ],
        }
    ],
    "has_more": False,
    "next_page": None,
}
OPENAI_CSV = """start_time,end_time,start_time_iso,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens
1761955200,1762041600,2025-11-01T00:00:00Z,5,gpt-4o-2024-08-06,1000,500,800
"""
ANTHROPIC = {
    "data": [
        {
            "starting_at": "2025-11-01T00:00:00Z",
            "ending_at": "2025-11-02T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 100,
                    "cache_creation": {"ephemeral_1h_input_tokens": 30, "ephemeral_5m_input_tokens": 70},
                    "cache_read_input_tokens": 800,
                    "output_tokens": 500,
                    "model": "claude-sonnet-4",
                }
            ],
        }
    ],
    "has_more": False,
}
ANTHROPIC_CSV = (
    "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
    "2025-11-01,claude-sonnet-4,100,70,30,800,500\n"
)
CUR = """lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,pricing/unit
2025-11-01T00:00:00Z,2025-11-02T00:00:00Z,AmazonBedrock,USW2-Claude3.5Sonnet-input-tokens,0.2,1K tokens
2025-11-01T00:00:00Z,2025-11-02T00:00:00Z,AmazonBedrock,USW2-Claude3.5Sonnet-cache-read-input-token-count,0.8,1K tokens
2025-11-01T00:00:00Z,2025-11-02T00:00:00Z,AmazonBedrock,USW2-Claude3.5Sonnet-output-tokens,0.5,1K tokens
2025-11-01T00:00:00Z,2025-11-02T00:00:00Z,AmazonBedrock,USW2-DataTransfer-Out-Bytes,12,GB
"""
CLOUDWATCH = {
    "MetricDataResults": [
        {"Label": "claude-3-5 InputTokenCount", "Timestamps": ["2025-11-01T00:00:00Z"], "Values": [200.0]},
        {"Label": "claude-3-5 CacheReadInputTokenCount", "Timestamps": ["2025-11-01T00:00:00Z"], "Values": [800.0]},
        {"Label": "claude-3-5 OutputTokenCount", "Timestamps": ["2025-11-01T00:00:00Z"], "Values": [500.0]},
        {"Label": "claude-3-5 Invocations", "Timestamps": ["2025-11-01T00:00:00Z"], "Values": [5.0]},
    ]
}
STATISTICS = [
    {
        "Label": "InputTokenCount",
        "ModelId": "nova",
        "Datapoints": [{"Timestamp": "2025-11-01T00:00:00Z", "Sum": 1000.0}],
    },
    {
        "Label": "OutputTokenCount",
        "ModelId": "nova",
        "Datapoints": [{"Timestamp": "2025-11-01T00:00:00Z", "Sum": 500.0}],
    },
]
AZURE = {
    "value": [
        {
            "name": {"value": name},
            "timeseries": [
                {
                    "metadatavalues": [{"name": {"value": "modelname"}, "value": "gpt-4o"}],
                    "data": [
                        {"timeStamp": "2025-11-01T00:00:00Z", "total": total},
                        {"timeStamp": "2025-11-02T00:00:00Z"},
                    ],
                }
            ],
        }
        for name, total in (("ProcessedPromptTokens", 1000), ("GeneratedTokens", 500), ("AzureOpenAIRequests", 5))
    ]
}
AZURE_CSV = """Date,MeterName,Quantity,UnitOfMeasure
2025-11-01,gpt-4o-1120-Inp-glbl Tokens,0.2,1K
2025-11-01,gpt-4o-1120-cached-Inp-glbl Tokens,0.8,1K
2025-11-01,gpt-4o-1120-Outp-glbl Tokens,0.5,1K
2025-11-01,Standard Data Transfer,7,1 GB
"""
VERTEX = "\n".join(
    json.dumps(
        {
            "service": {"description": "Vertex AI"},
            "sku": {"description": sku},
            "usage_start_time": "2025-11-01 00:00:00 UTC",
            "usage_end_time": "2025-11-02 00:00:00 UTC",
            "usage": {"amount": amount, "unit": "count"},
        }
    )
    for sku, amount in (
        ("Gemini 2.5 Flash Text Input - Predictions", 200),
        ("Gemini 2.5 Flash Cached Text Input - Predictions", 800),
        ("Gemini 2.5 Flash Text Output - Predictions", 500),
        ("Imagen 4 Image Generation", 3),
    )
)
FILES = {
    ("openai", "json"): json.dumps(OPENAI),
    ("openai", "pages"): json.dumps([OPENAI]),
    ("openai", "csv"): OPENAI_CSV,
    ("anthropic", "json"): json.dumps(ANTHROPIC),
    ("anthropic", "csv"): ANTHROPIC_CSV,
    ("bedrock", "cur"): CUR,
    ("bedrock", "cloudwatch"): json.dumps(CLOUDWATCH),
    ("bedrock", "statistics"): json.dumps(STATISTICS),
    ("azure", "metrics"): json.dumps(AZURE),
    ("azure", "csv"): AZURE_CSV,
    ("vertex", "lines"): VERTEX,
}


@pytest.mark.parametrize(("provider", "form"), FILES)
def test_a_file_says_a_thousand_tokens_in_and_five_hundred_out(provider: str, form: str) -> None:
    """Cached input is part of the input, whichever way the provider states it; what is no tokens is counted as skipped."""
    usage = read_usage(FILES[provider, form], provider)
    assert sum(row.input_tokens for row in usage.rows) == 1000
    assert sum(row.output_tokens for row in usage.rows) == 500
    assert len({row.model for row in usage.rows if "cache" not in row.model.lower()}) == 1
    assert {rfc3339(row.start_us) for row in usage.rows} == {"2025-11-01T00:00:00Z"}
    assert usage.skipped == (form in ("cur", "cloudwatch", "metrics", "lines") or (provider, form) == ("azure", "csv"))
    assert len(usage.skipped_why) == usage.skipped


@pytest.mark.parametrize(("provider", "form"), [each for each in FILES if each[1] not in ("statistics", "metrics")])
def test_cached_input_is_told(provider: str, form: str) -> None:
    """Eight hundred of the thousand were read from a cache (of Anthropic's, a hundred more were written to one)."""
    usage = read_usage(FILES[provider, form], provider)
    assert sum(row.cached_tokens or 0 for row in usage.rows) == (900 if provider == "anthropic" else 800)


@pytest.mark.parametrize(
    ("provider", "file", "start", "end"),
    [
        ("openai", OPENAI, ("start_time", 1_762_041_600), ("end_time", 1_762_128_000)),
        ("anthropic", ANTHROPIC, ("starting_at", "2025-11-02T00:00:00Z"), ("ending_at", "2025-11-03T00:00:00Z")),
    ],
)
def test_a_bucket_without_results_is_a_part_of_what_the_file_is_of(
    provider: str, file: dict[str, Any], start: tuple[str, Any], end: tuple[str, Any]
) -> None:
    """Nothing was used then: that is stated, and neither a row nor something skipped."""
    usage = read_usage(json.dumps({"data": [*file["data"], dict((start, end, ("results", [])))]}), provider)
    assert (len(usage.rows), usage.skipped) == (1, 0)
    [unused] = usage.unused
    assert (rfc3339(unused.start_us), rfc3339(unused.end_us or 0)) == ("2025-11-02T00:00:00Z", "2025-11-03T00:00:00Z")


def test_dates_of_cost_management_have_the_month_first() -> None:
    """As Azure's exports write them; a day that there is not is refused."""
    usage = read_usage(AZURE_CSV.replace("2025-11-01", "11/01/2025"), "azure")
    assert {rfc3339(row.start_us) for row in usage.rows} == {"2025-11-01T00:00:00Z"}
    with pytest.raises(UsageError, match="date: '2025-13-01' is no time"):
        read_usage(AZURE_CSV.replace("2025-11-01", "13/01/2025"), "azure")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4-0613"),
        ("openai/GPT-4.1-mini", "gpt-4.1-mini-2025-04-14"),
        ("claude-sonnet-4", "claude-sonnet-4@20250514"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "Claude3.5Sonnet"),
        ("amazon.nova-lite-v1:0", "NovaLite"),
        ("gemini-1.5-flash", "gemini-1.5-flash-001"),
        ("mistral-large-latest", "mistral-large-2411"),
    ],
)
def test_names_of_one_model(ours: str, theirs: str) -> None:
    """Gateways, providers and bills write the same one in many ways."""
    assert base_name(ours) == base_name(theirs)


def test_names_of_different_models_stay_different() -> None:
    """A number that is part of a name is no date and no version; what is nothing but one is a name still."""
    names = (
        "gpt-4",
        "gpt-4.1",
        "gpt-4o",
        "gpt-4o-mini",
        "o1",
        "o11",
        "claude-sonnet-4",
        "claude-sonnet-4-5",
        "llama3:8b",
        "-0613",
        "-",
    )
    assert len({base_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("provider", "text", "words"),
    [
        ("nobody", "{}", "--provider nobody: choose from openai"),
        ("openai", "", "it has no rows"),
        ("openai", "date,model\n2025-11-01,gpt\n", "no input_tokens"),
        (
            "openai",
            '{"input_tokens": 1.5, "start_time": 1761955200}',
            "row 1: input_tokens: 1.5 is no number of tokens",
        ),
        ("openai", '{"input_tokens": 1, "start_time": "soon"}', "row 1: start_time: 'soon' is no time"),
        ("openai", '{"a": 1}\nnonsense', "line 2: no JSON"),
        ("openai", '{\n  "data": [\n', "this is no JSON, or was cut short (Expecting value: line 3 column 1"),
        ("bedrock", CUR.replace("0.5,1K", "half,1K"), "row 3: usage_amount: 'half' is no quantity in '1K tokens'"),
        ("azure", '[{"value": 3}]', "row 1: this is no usage of azure"),
    ],
)
def test_what_cannot_be_read_is_named(provider: str, text: str, words: str) -> None:
    """With the row, and nothing is guessed."""
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        read_usage(text, provider)


_FIELDS = st.sampled_from(["data", "results", "value", "usage", "sku", "model"])
_documents = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(_FIELDS, each, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(READERS)), st.text(max_size=200) | _documents.map(json.dumps))
def test_any_text_is_usage_or_a_usage_error(provider: str, text: str) -> None:
    """Never another exception."""
    with suppress(UsageError):
        assert read_usage(text, provider).rows


_AT = '"start_time": 1761955200'


@pytest.mark.parametrize(
    ("provider", "text", "words"),
    [
        ("openai", "[" * 100_000, "too deep to be usage"),
        ("openai", '{"a": 1}\n' + '{"a":' * 100_000, "too deep to be usage"),
        ("openai", f'{{"input_tokens": 1e999999999, {_AT}}}', "is no number of tokens"),
        ("openai", f'{{"input_tokens": "1e999999999", {_AT}}}', "is no number of tokens"),
        ("openai", f'{{"input_tokens": {"9" * 4000}, {_AT}}}', r"input_tokens: 9+\.\.\. is no number of tokens"),
        ("openai", f'{{"input_tokens": -1, {_AT}}}', "is no number of tokens"),
        ("openai", f'{{"input_tokens": NaN, {_AT}}}', "is no number of tokens"),
        ("openai", '{"input_tokens": 1, "start_time": Infinity}', "is no time in seconds"),
        ("openai", '{"input_tokens": 1, "start_time": 1e300}', "is no time in seconds"),
        (
            "openai",
            '{"input_tokens": 1, "start_time": "0001-01-01T00:00:00+14:00"}',
            "no time that is understood|years",
        ),
        ("openai", '{"input_tokens": 1, "start_time": "9999-12-31"}', "outside the years 2000 to 2099"),
        ("openai", f"date,model,input_tokens\n2025-11-01,{'m' * 200_000},1\n", "this is no CSV"),
        (
            "openai",
            "\n".join(f'{{"input_tokens": {10**15}, {_AT}}}' for _ in range(10)),
            "tokens: this is no use of a month",
        ),
        ("bedrock", CUR.replace("0.5,1K", "1e999999999,1K"), "is no quantity"),
        ("bedrock", CUR.replace("0.5,1K", "0.5,1.1.1K"), "is no quantity"),
        ("bedrock", CUR.replace("0.5,1K", "NaN,1K"), "is no number of tokens"),
    ],
)
def test_hostile_files_are_refused_at_once(provider: str, text: str, words: str) -> None:
    """Depth, digits, powers of ten, lengths and times that would fill memory or overflow; the answer repeats little of it."""
    with pytest.raises(UsageError, match=words) as refused:
        read_usage(text, provider)
    assert len(str(refused.value)) < 300


def test_models_of_a_file_are_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is compared with ours."""
    monkeypatch.setattr(reading, "MODELS_MAX", 2)
    lines = [f'{{"input_tokens": 1, "model": "m-{number}", {_AT}}}' for number in range(3)]
    assert len(read_usage("\n".join(lines[:2]), "openai").rows) == 2
    with pytest.raises(UsageError, match="names more than 2 models"):
        read_usage("\n".join(lines), "openai")


def test_formulas_are_names_like_any_other() -> None:
    """Nothing is worked out; where names are written into cells again, that defuses them."""
    (row,) = read_usage(f'{{"input_tokens": 1, "model": "=cmd()", {_AT}}}', "openai").rows
    assert row.model == "=cmd()"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_the_encodings_of_spreadsheets(encoding: str) -> None:
    assert usage_text("modèle".encode(encoding)) == "modèle"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("modèle".encode("latin-1"), "no UTF-8 text at byte 3; save it as UTF-8"),
        (b"\xff\xfe\x00", "no UTF-16 text"),
        (b"\x1f\x8b\x08\x00", "packed"),
        (b"PK\x03\x04\xff\xff", "no UTF-8 text"),
    ],
)
def test_other_bytes_are_no_text(content: bytes, words: str) -> None:
    """Nothing is guessed, and nothing is unpacked: what is packed may be a bomb."""
    with pytest.raises(UsageError, match=words):
        usage_text(content)


def test_a_file_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FILE_BYTES_MAX", 3)
    assert usage_text(b"abc") == "abc"
    with pytest.raises(UsageError, match="larger than 3 bytes"):
        usage_text(b"abcd")
