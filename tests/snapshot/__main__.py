"""`python -m tests.snapshot` pins the answers as they are now.

Only for a deliberate change of behaviour, in the same commit as its line in CHANGELOG.md: a move of modules must never
need it. The difference that git shows of `golden/` is what users will see.
"""

import tempfile
from pathlib import Path

from tests.snapshot.comparing import GOLDEN, write_golden
from tests.snapshot.outside import everything


def main() -> None:
    """Write every golden file anew, and remove those that nothing makes any more."""
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        written = set()
        for name, document in everything(Path(directory)):
            write_golden(name, document)
            written.add(f"{name}.json")
    for path in GOLDEN.glob("*.json"):
        if path.name not in written:
            path.unlink()
    print(f"{len(written)} files in {GOLDEN.name}/")


if __name__ == "__main__":
    main()
