"""Eco2AI's models of processor and memory, which it adds to the GPU power that it samples from NVIDIA's library.

Eco2AI 0.3.12 (Apache-2.0), eco2ai/tools: Budennyy et al., "eco2AI: carbon emissions tracking of machine learning models",
arXiv 2208.00406. The processor draws its TDP times the share of all cores that the own process uses; memory 3 W per 8 GB
(0.375 W/GB) that the own process holds. What other processes do is not counted, nor what an idle machine draws.
"""

W_PER_GB = 3.0 / 8.0


def cpu_w(tdp_w: float, process_share: float, sockets: int = 1) -> float:
    return tdp_w * process_share * sockets


def ram_w(process_gb: float) -> float:
    return W_PER_GB * process_gb
