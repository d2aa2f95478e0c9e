"""All sections in one class. docs/operations.md explains every setting; a test checks that every one is documented."""

from collections.abc import Iterator

from rice_stream.runtime.settings.batches import BatchSettings
from rice_stream.runtime.settings.budgets import BudgetSettings
from rice_stream.runtime.settings.checkpoints import CheckpointSettings
from rice_stream.runtime.settings.database import DatabaseSettings
from rice_stream.runtime.settings.delivery import DeliverySettings
from rice_stream.runtime.settings.estimating import EstimatingSettings
from rice_stream.runtime.settings.formats import FormatSettings
from rice_stream.runtime.settings.http import HttpSettings
from rice_stream.runtime.settings.kafka import KafkaSettings
from rice_stream.runtime.settings.live_feed import LiveFeedSettings
from rice_stream.runtime.settings.logs import LogSettings
from rice_stream.runtime.settings.oidc import OidcSettings
from rice_stream.runtime.settings.pact import PactSettings
from rice_stream.runtime.settings.periods import PeriodSettings
from rice_stream.runtime.settings.reports import ReportSettings
from rice_stream.runtime.settings.restating import RestatingSettings
from rice_stream.runtime.settings.section import Section

PREFIX = "RICE_"


class Settings(
    KafkaSettings,
    FormatSettings,
    DatabaseSettings,
    EstimatingSettings,
    LiveFeedSettings,
    BatchSettings,
    BudgetSettings,
    DeliverySettings,
    CheckpointSettings,
    PeriodSettings,
    ReportSettings,
    RestatingSettings,
    PactSettings,
    HttpSettings,
    OidcSettings,
    LogSettings,
):
    """Every setting with its default. The name of a setting in the environment is `RICE_` + the field in capitals."""

    @classmethod
    def sections(cls) -> tuple[type[Section], ...]:
        """The sections in the order of docs/operations.md."""
        return tuple(base for base in cls.__bases__ if issubclass(base, Section))

    @classmethod
    def names(cls) -> Iterator[str]:
        """The fields of all sections in the order of docs/operations.md."""
        for section in cls.sections():
            yield from section.model_fields

    def changed(self) -> list[str]:
        """The fields that are not at their default, in the order of docs/operations.md."""
        fields = type(self).model_fields
        return [
            name for name in self.names() if getattr(self, name) != fields[name].get_default(call_default_factory=True)
        ]

    def contradictions(self) -> list[str]:
        """What only several settings together can say: a format for a topic that is not read is a misspelt topic."""
        return [*self._contradictions_of_formats(), *self._contradictions_of_access()]

    def _contradictions_of_formats(self) -> Iterator[str]:
        for topic in self.event_formats:
            if topic not in self.events_topics:
                yield f"{PREFIX}EVENT_FORMATS: topic {topic} is not in {PREFIX}EVENTS_TOPICS ({', '.join(self.events_topics)})"

    def _contradictions_of_access(self) -> Iterator[str]:
        if (self.http_tls_certificate is None) != (self.http_tls_key is None):
            yield f"{PREFIX}HTTP_TLS_CERTIFICATE, {PREFIX}HTTP_TLS_KEY: one needs the other"
        given = [name for name in OidcSettings.model_fields if name in self.model_fields_set and getattr(self, name)]
        if self.oidc_issuer is None:
            yield from (f"{PREFIX}{name.upper()}: needs {PREFIX}OIDC_ISSUER" for name in given)
            return
        if self.oidc_audience is None and self.oidc_client_id is None:
            yield (
                f"{PREFIX}OIDC_ISSUER: needs {PREFIX}OIDC_AUDIENCE (for tokens of the provider) or {PREFIX}OIDC_CLIENT_ID"
                " (for signing in by browser), or both"
            )
        if self.oidc_claims_file is None:
            yield f"{PREFIX}OIDC_ISSUER: needs {PREFIX}OIDC_CLAIMS_FILE, which says what the provider's groups may do"
        if self.oidc_client_secret is not None and self.oidc_client_id is None:
            yield f"{PREFIX}OIDC_CLIENT_SECRET: needs {PREFIX}OIDC_CLIENT_ID"
        if "openid" not in self.oidc_scopes:
            yield f"{PREFIX}OIDC_SCOPES: must hold openid"
