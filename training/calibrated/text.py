"""The fixed text of docs/validation-calibrated.md."""

INTRODUCTION = """# Validation of `rice-calibrated`

Written by `rice-stream validate DIR`; every number below is computed by that command. Every prediction is **left out**:
the fit that made it saw no row of the same group, and a group is all rows of the same weights or the same architecture and
size, whatever data set, fine-tune, precision, task or GPU (instruct, thinking and coder editions of Qwen3-30B are one group;
so are the 16- and 8-bit editions of Llama-3.1-405B). No row is ever split at random.

Sources: our own measurements (training/data/gpu_measured_h100_h200.csv); ML.ENERGY Benchmark v3 (Apache-2.0); Hugging Face
Optimum LLM-Perf, 2024-02 and 2026-01 (the leaderboard's page says Apache-2.0). Model facts: public model cards
(rice_stream/reference/data/models.csv, a source per row). The artefact carries the SHA-256 of every file.
"""

PHYSICS = """
## 6. The law and its coefficients

    step   = launch x devices x layers x (1 + extra kernels of experts) + weight x GB of weights read + flop x TFLOP + kv x GB of KV
             + quantise x layers x devices^e (experts with 8-bit operations) + kv x GB of fixed state + exchange between devices
    prefill = launches and one pass over the weights (shared by the batch) + flop x TFLOP + attention x prompt^2
    stream = per output token and device once an output is long: the devices wait for the host between steps

A request pays 1/batch of what the batch shares. Experts read: dense part + experts x (1 - (1 - share)^batch). All
coefficients are positive logarithms with physical beliefs (training/calibrated/model.py); other hardware starts from the H100
scaled by TDP, bandwidth and peak operations, and the fit only moves the factors that measurements exist for. An operation
never costs less than TDP / peak operations (16 bit): the compute floor.

Decided, with reasons:
- **Batch 1 on A100 is eager.** Public batch-1 measurements on A100 are of plain transformers loops that wait for the host. There
  a step costs joules and seconds per layer, while the device waits for the next launch, and the reading of the weights.
  From batch 2 on A100 the law above holds, scaled. H100 and newer at batch 1 are measured with CUDA graphs, and follow the law
  above throughout.
- **Operations per layer** (version 2). How long the device waits goes with what the host has to do for a layer: OPT's layer makes
  51 tensor operations for one token, Llama's 96 (112 with grouped queries), GPT-J's 152. They are counted, not fitted
  (training/data/layer_operations.csv; `layer_operations` in models.csv), and enter with a fitted power, {energy:.2f} for energy and
  {time:.2f} for time: a part of the host's work is the same for every layer. This took the place of a factor for layers without
  rotary positions, so the law has no more coefficients than before: left out, LLM-Perf 2026 errs {reached:.1f} % instead of 9.7 %.
  Where operations are not counted, they are Llama's with grouped queries, or OPT's where positions are not rotary.
- **What else was tried there**, all left out by group. Before the operations: squared to absolute losses and weaker or stronger
  beliefs 9.7 to 11.0 %, a cost per step outside the layers 9.6 %, launches hidden behind the reading of weights 10.1 %, a
  factor for LayerNorm 11.7 %, several factors for kinds of layer 8.1 to 8.3 %. With them: a line in place of the power 7.5 %, a
  cost outside the layers 7.3 %, only operations that launch a kernel 8.7 %, counts of transformers 4.40.2 or 4.47.1 in place of
  4.37.2's 7.7 and 7.8 %. The rows also name the attention kernel: flash takes 10 %, SDPA 14 % less of the launches' energy, and
  knowing it 6.7 %. No event says it, so it is not used.
- **How good it can be.** One run of a model errs 9.4 % as a prediction of another run of the same model (20 to 66 % between the
  extremes of ten of the 26 models), and the best constant per model, chosen with its rows in view, 5.5 %. Drawing models with
  repetition, the left-out error is 6.0 to 8.9 % in nine of ten draws.
- **Streaming.** A single decode step in a bare loop (our rows) costs less than the same step in a server that streams
  thousands of tokens (ML.ENERGY). The difference enters per output token, half of it from 250 output tokens on.
- **Fixed state** (version 2). Layers whose cache does not grow hold a sliding window or a recurrent state, which every step reads;
  its bytes are from model cards (`state_bytes` in models.csv). Without it the law was 20 to 50 % low for Gemma 3 and Nemotron Nano.
- **Experts per token** (version 2). Where the model card says how many of how many experts a token uses, that share decides which
  weights a step reads; else 0.62 x active / total. Llama-4-Maverick (1 of 128, a large shared part) was 50 % high without.
- **Experts on several devices** (version 2). Each generated token is exchanged: times devices - 1, times (routed parameters /
  8 B)^(2/3) (the width), over sqrt(1 + tokens per expert / 16), because chance evens out the load where many tokens share an
  expert. Prefill pays a share times 1 - 1 / devices. The profile `hosted_scale` hides both behind computation, as DeepSeek
  describes it (open-infra-index, day 6).
- **8-bit operations** (version 2). Quantising activations before each expert costs per layer, whatever the batch, and hardly
  grows with the devices.
  Only fp8 pays it: mxfp4, int4 and int8 are formats of weights, widened inside the operation.
- **Data-parallel serving** (Qwen3-Coder-480B-FP8) is told by a column of the file, and is not fitted to: its batch is several.
- **How these were chosen.** The terms were found by looking at section 3 of the first version, which is left out, so the form
  of the law has seen all rows, though no coefficient has seen its own group. Beliefs of the new coefficients are wide (one
  standard deviation is a factor of 4.5 for those of experts, 1.6 for the state). The powers 2/3 and 1/2 and the 16 tokens are not
  fitted: errors are flat around them (13.0 to 13.4 % on H100, 18.6 to 19.1 % on B200, from 4 to 64 tokens).
  No coefficient belongs to one model. DeepSeek's counts, held out for hosted models,
  showed that the exchange of ML.ENERGY's servers cannot be that of a vendor at scale: hence the profile's overlap.
- **B200 at long contexts.** Long-output runs on B200 on one device take 10-30 ms more per step than short ones (GPQA
  against chat rows); the reason is not in the data. It is carried as joules per step and token of context on B200 alone.
- **Default profile `interactive`**: hosted APIs stream 30-100 tokens/s; ML.ENERGY's servers do so at a median batch of 32.
- **Server and idle machines**: Elsworth et al. 2025 (Google): CPU and DRAM 0.06 Wh beside 0.14 Wh of accelerators, idle
  machines 0.02 Wh. Batch-1 profiles carry no idle share; hosted profiles 10 % (0 to 60 %).
- **Cached input** skips the computation and reads its KV cache once. Reasoning tokens are output tokens.
- A context's `utilisation` and `tdp_w` are not used: draw is measured, not assumed.
"""

CLOSING = """
![left out](plots/calibrated-left-out.png)
![by batch](plots/calibrated-batch.png)
![errors](plots/calibrated-errors.png)

## 7. What is not covered

- Data-parallel serving with idle or replicated experts (Qwen3-Coder-480B-FP8 on B200): two to ten times what the law says.
  A request's columns do not tell data parallelism, so nothing can be done at the door; the row stays in the error above.
- Mixtures in fp8 differ by their kernels: Qwen3-235B-FP8 costs a third more than the law says when it is left out,
  Llama-4-Maverick, whose weights are scaled by channel instead of by block, a quarter less. No column tells them apart.
- gpt-oss-120b on B200 is 40 % over-predicted: B200 computes mxfp4 natively, which no other model here shows.
- Eager loops of multi-query attention (StarCoder) cost a quarter more than its few operations say, LLM-Perf 2024's phi-2 a third.
- Hybrid models whose state is not in models.csv (Jamba, Granite 4 H, Qwen3-Next) are taken to have none: too low in large batches.
- Speculative decoding, disaggregated prefill, CPU offload, LoRA batches, beam search: not in any data set used.
- L40S, L4, A10G, MI300X and TPUs are scaled from public specifications and never measured here; TPU power is not published.
  A100-40GB and A100-80GB above batch 1 are scaled too (only their operations and batch 1 are measured).
- int8 and int4 weights: bytes shrink, operations do not. At batch 1 on A100, LLM-Perf's bitsandbytes rows take about twice the
  16-bit energy, and so does the estimate; its GPTQ rows take 2 to 11 times (slow fallback kernels) and are not followed. In
  batched serving nothing used here measures them.
- Models below 1 B parameters: launches dominate; errors of 10 to 45 %. The range is wider for it.
- Images, video and audio inputs: encoders are not modelled. Closed models: parameters are others' estimates, never measured.
- The time coefficients serve latency and the server's share; their left-out error is 15 to 30 %, and queueing is not in them.
"""
