"""The fixed text of docs/validation-hosted.md."""

INTRODUCTION = """# Validation of hosted models

Written by `make hosted`; every number below is computed by that command from what is shipped.

How a hosted model's energy per request comes about (`rice_stream/estimator/regressors/hosted.csv`, one row per model family
and kind of host): beliefs about its parameters, its batch, its hardware and its precision go through the law of
`rice-calibrated`, {draws} draws a model; the list price of the request is soft evidence of what each draw's energy can be; what is
left is the posterior. Its middle and its variance are the row. The same tables give the same bytes.

**What can be tested and what cannot.** No per-request energy of any closed model is public. DeepSeek's day and Microsoft's
figure come with token counts and test something; OpenAI's and Google's come without, and test nothing that a suitable
number of tokens could not satisfy. The coverage of a closed model's range is argued here, not measured. Where hosted open
models have been metered (a small host), it is measured.
"""

FITTED = """
| fitted | to |
|---|---|
| the law: joules from size, batch, hardware, precision | [ML.ENERGY v3, own runs, LLM-Perf](validation-calibrated.md) |
| host, idle machines | Google's shares (Elsworth et al. 2025) |
| batch of `hosted_small`, the ratio of price and energy | Neuralwatt's metered requests; InferenceMAX; set by eye |
| parameters of closed models | published guesses, a source each (`rice-stream models MODEL`) |
| **held out** | DeepSeek's counts, Microsoft 0.31 Wh, OpenAI 0.34 Wh, Google 0.24 Wh, Mistral 1.14 g |

Held out is weaker than it sounds: whoever set the beliefs knew these figures, and the batch of `hosted_scale` (50 to 800)
brackets DeepSeek's own 704. The price ratio was set before the median and the deviation of the list below were worked out.
A blind test of `hosted_scale` has still to come.

**DeepSeek's day is not blind.** That mixtures at scale are spread wider than their memory needs, stream each request on one device
and hide most of their exchange behind computation is what DeepSeek's overview describes of its service; but these three beliefs
entered, and how far they go was set (0 to half of the exchange, 1 to 4 times the devices), after the law with none of them
had been seen to be outside. Without them:

"""

LIMITS = """
## 9. Limits

- The posterior is conditional on what all rows share: the law at this scale and the level of the price ratio. Both can be off
  by a factor 1.2 to 1.3 together, so no closed model's range is narrower than a factor 3.6, and an error of this kind does
  not average out over models (the share `global:hosted` of a total's range).
- The price ratio rests on 14 points of five hosts, most of them cache-heavy agent traffic. Frontier margins may be higher
  (energy lower), promotional prices lower.
- A row's coefficients are those of one batch. A prompt so long that its cache leaves room for few others is dearer than the
  row says; attention that is sparse or linear over a long context is cheaper than the law says.
- TPU, Trainium and MI300X are scaled by public figures, never measured.
- Observed speed narrows nothing for a closed model: chips per replica, speculative decoding and size are confounded. It is
  not used.
- A host with chips of its own (Groq, Cerebras, SambaNova) gets the rows of `hosted_small`, which know nothing of them.
"""
