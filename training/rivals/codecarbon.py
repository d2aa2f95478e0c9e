"""CodeCarbon's models of processor and memory, which it adds to the GPU energy that it reads from NVIDIA's counter.

CodeCarbon 3.3.2 (MIT), codecarbon/external/hardware.py and ram.py. Memory before version 3: 3 W per 8 GB of the whole machine.
Since then by modules: how many a machine of that size has, 5 W each, less from the fifth, ninth and seventeenth on. Processor
where no counter (RAPL) is readable: half its TDP ("constant"), or by load.
"""

import math

W_PER_GB_BEFORE_3 = 3.0 / 8.0
CONSTANT_SHARE = 0.5
MODULE_W, MODULES_MAX = 5.0, 32
STAGES = ((4, 1.0), (4, 0.9), (8, 0.8), (MODULES_MAX, 0.7))
"""(modules, share of MODULE_W), in the order in which a machine is filled."""
FEW_MODULES = ((2.0, 1), (16.0, 2), (64.0, 4), (128.0, 8))
"""(up to this many GB, modules)."""
MODULE_SIZES_GB = (128, 64, 32, 16)


def cpu_constant_w(tdp_w: float) -> float:
    return CONSTANT_SHARE * tdp_w


def cpu_load_w(tdp_w: float, load: float) -> float:
    """By the machine's load (0 to 1): a tenth of the TDP, and the rest with its cube."""
    return tdp_w * (0.1 + 0.9 * load**3)


def ram_before_3_w(machine_gb: float) -> float:
    return W_PER_GB_BEFORE_3 * machine_gb


def modules(machine_gb: float) -> int:
    """How many memory modules a machine of that size is taken to have."""
    for up_to_gb, count in FEW_MODULES:
        if machine_gb <= up_to_gb:
            return count
    size_gb = next(size for size in MODULE_SIZES_GB if size <= machine_gb / 8)
    return min(math.ceil(machine_gb / size_gb), MODULES_MAX)


def ram_w(machine_gb: float) -> float:
    """Since version 3, on x86."""
    left, watts = modules(machine_gb), 0.0
    for count, share in STAGES:
        watts += min(left, count) * share * MODULE_W
        left -= min(left, count)
    return max(watts, 2 * MODULE_W)
