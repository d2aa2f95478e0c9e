"""Putting the parts together for one set of settings: the only place where everything meets."""

from pathlib import Path

from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.estimator.method import Method
from rice_stream.estimator.registry import load_method
from rice_stream.estimator.site import SiteProfile, parse_site
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy, LiveLookup, no_live_feed
from rice_stream.meter.requests import TokenDefaults
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import open_engine, store_errors
from rice_stream.store.mapping_store import StoredMappings
from rice_stream.store.revisions import current_revision, head_revision
from rice_stream.store.writer import Writer
from rice_stream.store.writers import open_writer


def open_store(settings: Settings, *, migrated: bool = True) -> Engine:
    """The database of the settings. UsageError when its schema is not this version's (unless not asked to care)."""
    engine = open_engine(settings.database_url.get_secret_value())
    if migrated:
        with store_errors("answer"):
            current = current_revision(engine)
        head = head_revision()
        if current != head:
            raise UsageError(
                f"the database is at schema {current or 'none'}, this version works with {head}: run `rice-stream migrate`"
            )
    return engine


def open_reference(settings: Settings) -> Reference:
    """The shipped tables, with the user's over them."""
    return load_reference(settings.reference_dir)


def open_method(settings: Settings, name: str | None = None) -> Method:
    """The estimating method of the settings, or the named one under the same settings.

    Raises UsageError for a serving profile that does not exist and for a site file that cannot be used.
    """
    method = load_method(name or settings.method)
    if "profile" in method.responds_to:
        _check_profiles(method, settings.factor_policy())
    if "site" in method.responds_to and settings.site_file is not None:
        method = method.with_site(_open_site(settings.site_file))
    return method


def _check_profiles(method: Method, policy: FactorPolicy) -> None:
    known = {*method.profiles, *policy.profiles}
    for profile in (policy.serving_profile, *(one.profile for one in policy.overrides)):
        if profile is not None and profile not in known:
            raise UsageError(
                f"RICE_SERVING_PROFILE, RICE_SERVING_OVERRIDES: the profile {profile!r} does not exist;"
                f" use one of {', '.join(sorted(known))}, or define it in RICE_SERVING_PROFILES"
            )


def open_estimator(settings: Settings, method_name: str | None = None) -> Estimator:
    """Tables, policy and method of the settings, or the named method under the same settings."""
    return Estimator(open_reference(settings), settings.factor_policy(), open_method(settings, method_name))


def _open_site(path: Path) -> SiteProfile:
    try:
        return parse_site(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"RICE_SITE_FILE: cannot read {path}: {error.strerror}") from error


def token_defaults(settings: Settings) -> TokenDefaults:
    """The counts that stand in for unknown ones."""
    return TokenDefaults(settings.default_input_tokens, settings.default_output_tokens)


def open_pipeline(
    settings: Settings, engine: Engine, live: LiveLookup = no_live_feed, formats: FormatOptions | None = None
) -> tuple[Pipeline, Writer]:
    """The pipeline of the settings (`formats` in the place of theirs), writing to `engine`; close the writer in the end."""
    writer = open_writer(engine)
    pipeline = Pipeline(
        engine=engine,
        writer=writer,
        defaults=token_defaults(settings),
        estimator=open_estimator(settings),
        live=live,
        formats=formats or settings.format_options(),
        mappings=StoredMappings(engine),
    )
    return pipeline, writer
