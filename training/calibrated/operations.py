"""Counts the tensor operations that one layer makes for one token, for `layer_operations` of models.csv.

`python -m training.calibrated.operations` prints the rows of training/data/layer_operations.csv that the installed release of
Hugging Face's transformers knows. It needs `pip install torch transformers==4.37.2`, which nothing else here does, and no
weights: models of random weights, 64 wide, decode one token after a prompt of 16, with eager attention. Whatever PyTorch
dispatches counts, views too, because the host works for each; a layer's share is half of what two more layers add.
"""

import importlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

VIEWS = frozenset(
    {
        *("view", "_unsafe_view", "_reshape_alias", "as_strided", "alias", "detach", "lift_fresh"),
        *("t", "transpose", "permute", "movedim", "expand", "unfold", "squeeze", "unsqueeze"),
        *("slice", "select", "split", "split_with_sizes", "chunk", "narrow", "unbind"),
        *("empty", "empty_like", "empty_strided", "new_empty"),
    }
)
"""Operations that launch nothing on the device."""
FEW, MANY = 2, 4
"""Layers of the two models that are compared."""
PROMPT = 16
WIDE: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
GPT2: dict[str, Any] = {"n_embd": 64, "n_head": 4}


@dataclass(frozen=True, slots=True)
class Architecture:
    """One architecture of transformers, and the configuration that makes it small."""

    name: str
    configuration: str
    settings: dict[str, Any]
    layers_setting: str = "num_hidden_layers"


ARCHITECTURES = (
    Architecture("opt", "OPTConfig", {**WIDE, "ffn_dim": 128, "word_embed_proj_dim": 64}),
    Architecture("xglm", "XGLMConfig", {"d_model": 64, "ffn_dim": 128, "attention_heads": 4}, "num_layers"),
    Architecture("gpt2", "GPT2Config", GPT2, "n_layer"),
    Architecture("gpt2, fused activation", "GPT2Config", {**GPT2, "activation_function": "gelu"}, "n_layer"),
    Architecture("gpt_bigcode", "GPTBigCodeConfig", GPT2, "n_layer"),
    Architecture("gptj", "GPTJConfig", {**GPT2, "rotary_dim": 8}, "n_layer"),
    Architecture("codegen", "CodeGenConfig", {**GPT2, "rotary_dim": 8}, "n_layer"),
    Architecture("gpt_neo", "GPTNeoConfig", {"hidden_size": 64, "num_heads": 4}, "num_layers"),
    Architecture("gpt_neox", "GPTNeoXConfig", WIDE),
    Architecture("bloom", "BloomConfig", {"hidden_size": 64, "n_head": 4}, "n_layer"),
    Architecture("mpt", "MptConfig", {"d_model": 64, "n_heads": 4}, "n_layers"),
    Architecture("falcon", "FalconConfig", {**WIDE, "multi_query": True, "bias": False}),
    Architecture("falcon, grouped", "FalconConfig", {**WIDE, "new_decoder_architecture": True, "num_kv_heads": 2}),
    Architecture(
        "falcon, alibi",
        "FalconConfig",
        {**WIDE, "multi_query": False, "parallel_attn": False, "bias": True, "alibi": True},
    ),
    Architecture("phi", "PhiConfig", WIDE),
    Architecture("llama", "LlamaConfig", {**WIDE, "num_key_value_heads": 4}),
    Architecture("llama, grouped", "LlamaConfig", {**WIDE, "num_key_value_heads": 2}),
    Architecture("stablelm", "StableLmConfig", {**WIDE, "num_key_value_heads": 4}),
    Architecture("starcoder2", "Starcoder2Config", {**WIDE, "num_key_value_heads": 2}),
    Architecture("rwkv", "RwkvConfig", {"hidden_size": 64, "attention_hidden_size": 64}),
    Architecture("mamba", "MambaConfig", {"hidden_size": 64}),
)


def count(one: Architecture, layers: int) -> Counter[str]:
    """Operations of one decoded token of a model with that many layers, by name."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    settings = {**one.settings, "vocab_size": 100, one.layers_setting: layers}
    if one.name == "gpt_neo":
        settings["attention_types"] = [[["global", "local"], layers // 2]]
    configuration = getattr(transformers, one.configuration)(**settings)
    model = transformers.AutoModelForCausalLM.from_config(
        configuration, torch_dtype=torch.bfloat16, attn_implementation="eager"
    ).eval()
    seen: Counter[str] = Counter()

    def dispatched(_: Any, function: Any, __: Any, arguments: Any = (), named: Any = None) -> Any:
        seen[function._schema.name.split("::")[1]] += 1
        return function(*arguments, **(named or {}))

    mode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    counting = type("Counting", (mode,), {"__torch_dispatch__": dispatched})
    with torch.no_grad():
        prompt = model(torch.arange(PROMPT).reshape(1, PROMPT), use_cache=True)
        kept = {name: prompt[name] for name in ("past_key_values", "state", "cache_params") if name in prompt}
        if "past_key_values" in kept:
            kept["attention_mask"] = torch.ones(1, PROMPT + 1, dtype=torch.long)
        token = torch.tensor([[7]])
        with counting():
            model(input_ids=token, use_cache=True, **kept)
    return seen


def main() -> None:
    transformers: Any = importlib.import_module("transformers")
    print("architecture,operations,launches,transformers")
    for one in ARCHITECTURES:
        if not hasattr(transformers, one.configuration):
            continue
        added = count(one, MANY)
        added.subtract(count(one, FEW))
        launches = sum(number for name, number in added.items() if name not in VIEWS)
        per_layer = (sum(added.values()) / (MANY - FEW), launches / (MANY - FEW))
        name = f'"{one.name}"' if "," in one.name else one.name
        print(f"{name},{per_layer[0]:g},{per_layer[1]:g},{transformers.__version__}")


if __name__ == "__main__":
    main()
