"""The metrics of several processes as one page: every sample of a process with the label `process`.

They are not added up: a process that starts again begins at 0, which Prometheus sees of a series and not of a sum.
"""

from collections.abc import Mapping


def merged(texts: Mapping[int, bytes]) -> bytes:
    """Pages in Prometheus's text format, by the number of their process, as one: each family once, with all its samples."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for process, text in texts.items():
        name = ""
        for line in text.decode().splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                heads.setdefault(name, [line])
            elif line.startswith("#"):
                if line not in heads[name]:
                    heads[name].append(line)
            elif line:
                samples.setdefault(name, []).append(_labelled(line, process))
    return "".join(f"{line}\n" for name, head in heads.items() for line in (*head, *samples.get(name, ()))).encode()


def _labelled(sample: str, process: int) -> str:
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{process="{process}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{process="{process}"}} {value}'
