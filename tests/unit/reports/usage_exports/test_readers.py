"""Files as providers give them out, made from their public descriptions: what each states, by hand."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.reports.usage_exports.reading import READERS, read_usage

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
    ("provider", "text", "words"),
    [
        ("nobody", "{}", "--provider nobody: choose from openai"),
        ("openai", "", "it is empty"),
        ("openai", "date,model\n2025-11-01,gpt\n", "no input_tokens"),
        (
            "openai",
            '{"input_tokens": 1.5, "start_time": 1761955200}',
            "row 1: input_tokens: 1.5 is no number of tokens",
        ),
        ("openai", '{"input_tokens": 1, "start_time": "soon"}', "row 1: start_time: 'soon' is no time"),
        ("openai", '{"a": 1}\nnonsense', "line 2: no JSON"),
        ("bedrock", CUR.replace("0.5,1K", "half,1K"), "row 3: usage_amount: 'half' is no quantity"),
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
