"""Events for the benchmarks: the documented shape, made fast, and put on Kafka in bulk."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

TENANTS = 50
TEAMS = 8
USERS = 40
MODELS = (
    ("openai", "gpt-4o", "gpt-4o-2024-08-06", "azure:swedencentral"),
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "azure:eastus2"),
    ("anthropic", "claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", "aws:us-east-1"),
    ("aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307", "aws:eu-west-1"),
    ("gcp.vertex_ai", "gemini-1.5-pro", "gemini-1.5-pro-002", "gcp:europe-west4"),
    ("mistral_ai", "mistral-large-latest", "mistral-large-2411", "FR"),
    ("self", "meta-llama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.1-70B-Instruct", "DE"),
    ("self", "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", "DE"),
)
_TEMPLATE = (
    '{"schema_version":"1","event_id":"%s","started_at":"%s","ended_at":"%s","tenant_id":"tenant-%02d","team_id":"team-%d",'
    '"project_id":"project-%d","user_id":"user-%d","provider":"%s","request_model":"%s","response_model":"%s",'
    '"input_tokens":%d,"cache_read_input_tokens":%s,"output_tokens":%d,"reasoning_output_tokens":%s,'
    '"inference_region":"%s","status":"ok","gateway_cache_hit":false,"source":"/gateway/eu"}'
)


def events(
    count: int,
    *,
    seed: int = 1,
    start: datetime | None = None,
    per_second: float = 5_000.0,
    tenants: int = TENANTS,
) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of `count` canonical events whose event time advances at `per_second` from `start` on."""
    random_ = random.Random(seed)
    start = start or datetime.now(UTC) - timedelta(seconds=count / per_second)
    draw = random_.random
    for number in range(count):
        ended = start + timedelta(seconds=number / per_second)
        tenant = int(tenants * draw() ** 2)
        team = int(TEAMS * draw())
        user = (tenant * TEAMS + team) * USERS + int(USERS * draw())
        provider, request, response, region = MODELS[int(len(MODELS) * draw())]
        input_tokens = int(50 + 6_000 * draw() ** 3)
        output_tokens = int(1 + 900 * draw() ** 2)
        value = _TEMPLATE % (
            f"{seed:x}-{number:08x}-7f3a",
            stamp(ended - timedelta(seconds=output_tokens / 60)),
            stamp(ended),
            tenant,
            team,
            team % 3,
            user,
            provider,
            request,
            response,
            input_tokens,
            int(input_tokens * draw()) if draw() < 0.4 else "null",
            output_tokens,
            int(output_tokens * draw()) if draw() < 0.2 else "null",
            region,
        )
        yield b"tenant-%02d" % tenant, value.encode()


def stamp(moment: datetime) -> str:
    """As events say it, to the millisecond."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def produce(bootstrap_servers: str, topic: str, pairs: Iterator[tuple[bytes, bytes]]) -> int:
    """Put the events on the topic, spread over its partitions; returns when the broker has confirmed them."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": 20,
            "batch.num.messages": 50_000,
            "queue.buffering.max.messages": 500_000,
            "partitioner": "random",
        }
    )
    sent = 0
    for _, value in pairs:
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.05)
        sent += 1
        if sent % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not confirm all events")
    return sent
