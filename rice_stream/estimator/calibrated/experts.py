"""Mixtures of experts: which parameters every token passes through, and which of the experts a step of many tokens reads.

`stated` is the share of a layer's experts that a token passes through, 0 where it is not known: `active` parameters are then
divided as those of the usual mixture are. All arguments are arrays that broadcast; parameters are in billions (1e9).
"""

import numpy as np

from rice_stream.quantities import Floats

ROUTED_SHARE = 0.62
"""Experts touched per token, as a share of active / total parameters: the rest of the active parameters (attention,
shared experts, embeddings) is read by every token. Mean of Qwen3-30B/235B/480B, gpt-oss-120b, DeepSeek-R1 (model cards)."""
SHARE_MAX = 0.95
"""A token's experts over its active parameters, at most: some of these are no experts, whatever is stated."""


def expert_share(total_b: Floats, active_b: Floats, stated: Floats) -> Floats:
    """The share of experts that a token passes through."""
    usual, most = ROUTED_SHARE * active_b / total_b, SHARE_MAX * active_b / total_b
    share: Floats = np.where(stated > 0.0, np.minimum(stated, most), usual)
    return share


def routed_b(total_b: Floats, active_b: Floats, stated: Floats) -> Floats:
    """Parameters of the experts that one token passes through."""
    share = expert_share(total_b, active_b, stated)
    return share * (total_b - active_b) / (1.0 - share)


def weights_touched_b(total_b: Floats, active_b: Floats, tokens: Floats, stated: Floats) -> Floats:
    """Parameters read in a step of `tokens` tokens: dense part + experts x (1 - (1 - share)^tokens).

    At one token these are the active parameters, with many tokens all of them; a dense model always reads all.
    """
    share = expert_share(total_b, active_b, stated)
    dense = (active_b - share * total_b) / (1.0 - share)
    touched: Floats = dense + (total_b - dense) * (1.0 - (1.0 - share) ** tokens)
    # For a dense model `dense` equals `total_b` and the second term is 0: the formula is continuous in both counts.
    return touched
