"""Words in models' names, by what they say about the number of parameters."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEUTRAL = _words("""
    instruct chat it hf base text preview exp experimental latest turbo versatile instant online basic fast lora tee
    uncensored thinking reasoning non think vision onnx pytorch keras flax tflite cpp safetensors deduped sft dpo rlhf
    tuned cuda cpu directml web original community cloud multimodal vl tools customtools hosted prod deployment python
    sfp default beta highspeed high low us eu maas fw
""")
"""A tuning, a container or a way of serving: not another number of parameters."""

SIZE_WORDS = _words("""
    nano micro tiny lite light mini small medium large xl xxl pro max ultra plus flash flashx air airx haiku sonnet opus
    fable mythos premier express heavy core edge scout maverick distill draft eagle reward guard embed embedding
""")
"""Another size: a known name followed by one of these is another model."""

DERIVED_WORDS = _words("distill draft")
"""A known name after one of these is the teacher or the target, not the model itself."""

OWNERS = _words("""
    meta facebook google mistralai anthropic openai nvidia ibm cohere c4ai amazon databricks snowflake system ai fw azure
    aws vertex bedrock gcp microsoft replicate moonshotai
""")
"""Who made or serves a model, where they stand before its name."""
