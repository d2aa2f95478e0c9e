"""Settings about logging."""

from typing import Literal

from rice_stream.runtime.settings.section import Section


class LogSettings(Section):
    """`RICE_LOG_*`: logs go to stderr."""

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
