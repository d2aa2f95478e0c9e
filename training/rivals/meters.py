"""What CodeCarbon and Eco2AI would write for runs whose GPU energy is known: their own watts beside the measured ones."""

from dataclasses import dataclass

import numpy as np

from rice_stream.quantities import Floats
from training.figures import table
from training.rivals import codecarbon, eco2ai
from training.rivals.rows import DataSet


@dataclass(frozen=True, slots=True)
class Host:
    """The machine around the GPUs. `load` is that of all its cores, `process_share` the part of them that the own process uses."""

    name: str
    cpu_tdp_w: float
    sockets: int
    load: float
    process_share: float
    memory_gb: float
    process_gb: float


LLM_PERF_HOST = Host("1 processor of 225 W, 503 GB", 225.0, 1, 1 / 64, 1 / 64, 503.0, 16.0)
"""Of the leaderboard of 2026: 225 W and 503 GB are what its own columns come to by CodeCarbon's formulas (tests); one busy core
of 64 and 16 GB held by the process are assumed."""
HGX_HOST = Host("2 processors of 350 W, 2,048 GB", 350.0, 2, 0.1, 2 / 112, 2048.0, 32.0)
"""A server of eight GPUs as vendors sell it; load and what the process holds are assumed, ML.ENERGY does not publish its hosts."""


@dataclass(frozen=True, slots=True)
class HostWatts:
    """A tracker's watts for processor and memory of one host, whatever the GPUs do."""

    tracker: str
    cpu_w: float
    ram_w: float

    @property
    def total_w(self) -> float:
        return self.cpu_w + self.ram_w


def host_watts(host: Host) -> list[HostWatts]:
    """CodeCarbon before and since version 3, and Eco2AI, where no counter of the processor can be read."""
    all_sockets_w = host.cpu_tdp_w * host.sockets
    return [
        HostWatts("CodeCarbon 2", codecarbon.cpu_constant_w(all_sockets_w), codecarbon.ram_before_3_w(host.memory_gb)),
        HostWatts("CodeCarbon 3.3", codecarbon.cpu_load_w(all_sockets_w, host.load), codecarbon.ram_w(host.memory_gb)),
        HostWatts(
            "Eco2AI 0.3.12",
            eco2ai.cpu_w(host.cpu_tdp_w, host.process_share, host.sockets),
            eco2ai.ram_w(host.process_gb),
        ),
    ]


def published_watts() -> tuple[Floats, Floats, Floats]:
    """GPU, processor and memory of LLM-Perf 2026, watts per run, as CodeCarbon wrote them."""
    rows = table("llm_perf_2026_01_host.csv")
    seconds = rows.numbers("decode_s")
    gpu, cpu, ram = (rows.numbers(f"decode_{part}_j") / seconds for part in ("gpu", "cpu", "ram"))
    return gpu, cpu, ram


def gpu_watts(data: DataSet, devices: float) -> Floats:
    """Draw of all GPUs of ML.ENERGY's runs on so many devices: joules per token x tokens per second."""
    rows = [row for row in data.rows if row.context.devices == devices]
    return np.array(
        [
            float(row.joules or np.nan) * float(row.context.batch_size or 1.0) / float(row.seconds or np.nan)
            for row in rows
        ]
    )
