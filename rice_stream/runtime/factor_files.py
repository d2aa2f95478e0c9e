"""Factor sets from a file."""

from pathlib import Path

from rice_stream.errors import UsageError
from rice_stream.reference.sets.parsing import ParsedFile, parse_factor_file

MAX_FILE_BYTES = 32 * 1024 * 1024


def read_factor_file(path: Path) -> ParsedFile:
    """The set of a YAML (or JSON) file.

    UsageError: it cannot be read or is not YAML; ReferenceDataError: it lists every problem, with row and column.
    """
    # Loaded here: the other commands about factors read no file.
    import yaml

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: larger than {MAX_FILE_BYTES} bytes; split it into sets of different names")
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    return parse_factor_file(loaded, str(path))
