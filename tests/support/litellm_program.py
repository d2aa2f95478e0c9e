"""A program as a user of LiteLLM writes it, with our callback; run as a process of its own by the test.

python litellm_program.py PROVIDER_ADDRESS PROMPT
"""

import asyncio
import contextlib
import sys

import litellm

from rice_stream.contrib.litellm import rice_kafka_logger


async def _main(address: str, prompt: str) -> None:
    litellm.callbacks = [rice_kafka_logger]
    common = {
        "messages": [{"role": "user", "content": prompt}],
        "api_base": address,
        "api_key": "sk-fake",
        "metadata": {"user_api_key_team_id": "team-a", "user_api_key_user_id": "u-1", "user_api_key_hash": "hash-1"},
        "num_retries": 0,
    }
    litellm.completion(model="openai/gpt-4o", **common)
    await litellm.acompletion(model="openai/gpt-4o", **common)
    stream = await litellm.acompletion(
        model="openai/gpt-4o", stream=True, stream_options={"include_usage": True}, **common
    )
    async for _ in stream:
        pass
    with contextlib.suppress(litellm.exceptions.AuthenticationError):
        await litellm.acompletion(model="openai/gpt-forbidden", **common)
    # LiteLLM calls back from tasks and threads of its own, after the answer.
    async with asyncio.timeout(30):
        while rice_kafka_logger.confirmed + rice_kafka_logger.lost < 4:
            rice_kafka_logger.flush(0.1)
            await asyncio.sleep(0.05)
    print(rice_kafka_logger.confirmed, rice_kafka_logger.lost)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
