"""Recharging: what is recorded is charged to whom the mappings of today say: entries take it from one and add it to another.

Of each record the entries take away what it amounts to by now under whom it is charged to, and add the same to the other: by the
same factors, under the same event. Records stay, and so does what was reported of them.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.events.charging import ChargedTo, Charging, Said
from rice_stream.events.keys import times_of_keys_us
from rice_stream.events.mappings import MappedName, Mappings
from rice_stream.instants import YEAR_MAX, epoch_us
from rice_stream.ledger.corrected_batches import CorrectedBatch
from rice_stream.ledger.giving_way import go_on
from rice_stream.ledger.restated_lines import Lines
from rice_stream.ledger.restatement_orders import check_archived
from rice_stream.ledger.restating import NOT_BEGUN, Restating
from rice_stream.quantities import ENTRY_AMOUNTS, MICRO, UNKNOWN, Ints
from rice_stream.store.audit import Actor
from rice_stream.store.charged_names import attributions_of, principal_names
from rice_stream.store.dimensions import AttributionIdentity, Dimensions
from rice_stream.store.engine import Connection, Engine, reading
from rice_stream.store.entries import Entries
from rice_stream.store.mapping_store import load_mappings
from rice_stream.store.recorded_chunks import RecordedChunk
from rice_stream.store.restatement_store import RestatementOrder, RestatementState
from rice_stream.store.stored_records import tenant_keys

_MOVES_SHOWN = 100
_END_US = epoch_us(datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC))
"""No event ends later."""
_CARBON = ENTRY_AMOUNTS.index("carbon_mid_ugco2e")
_PROMPTS = ENTRY_AMOUNTS.index("prompts")


class _Move(NamedTuple):
    """From whom to whom."""

    before: ChargedTo
    after: ChargedTo


def check_recharges(engine: Engine, mapping: MappedName) -> None:
    """UsageError: records of events that ended since the mapping would begin are neither kept nor in the archive, and cannot be
    charged otherwise; or the tenant has none."""
    with reading(engine) as connection:
        known = tenant_keys(connection)
    if mapping.tenant_id not in known:
        raise UsageError(f"--tenant {mapping.tenant_id}: there is no such tenant; see `rice-stream tenant list`")
    check_archived(engine, [known[mapping.tenant_id]], mapping.valid_from_us, _END_US)


def recharging_by(
    engine: Engine, mapping: MappedName, reason: str, by: Actor, *, dry_run: bool = False
) -> "Recharging":
    """The run that charges by a mapping, saved or (for a dry run) not, and all others."""
    with reading(engine) as connection:
        rows = [row for row in load_mappings(connection).rows if row[:2] + row[3:] != mapping[:2] + mapping[3:]]
    charging = Charging(Mappings([*rows, mapping]))
    whose = mapping.valid_from_us, _END_US, mapping.tenant_id
    order = RestatementOrder(*whose, "", "", reason, basis=charging.version, dry_run=dry_run)
    return Recharging(engine, charging, order, by)


def recharging_again(engine: Engine, waiting: RestatementState, by: Actor) -> "Recharging":
    """The run of an order, to begin it or go on with it. UsageError: the mappings are others by now."""
    with reading(engine) as connection:
        charging = Charging(load_mappings(connection))
    if charging.version != waiting.order.basis:
        raise UsageError("the mappings have changed since it was ordered: order it again")
    return Recharging(engine, charging, waiting.order, by, waiting)


def is_recharging(order: RestatementOrder) -> bool:
    """Whether an order is one of these: it says no method."""
    return not order.method_version


class Recharging(Restating):
    """A run that charges a tenant's records to whom a mapping, and all others, say; it goes as one that restates."""

    def __init__(
        self,
        engine: Engine,
        charging: Charging,
        order: RestatementOrder,
        by: Actor,
        state: RestatementState = NOT_BEGUN,
    ) -> None:
        """Nothing is estimated: there is no estimator. `state`: that of a run to go on with."""
        self.charging = charging
        self.engine, self.order, self.by, self.state = engine, order, by, state
        self.give_way, self._seen = go_on, 0
        self._tenant_id = order.tenant_id or ""
        self._attributions: dict[int, AttributionIdentity] = {}
        self._identity_keys: dict[AttributionIdentity, int] = {}
        self._principals: dict[int, str] = {UNKNOWN: ""}
        self._moves: Counter[_Move] = Counter()
        self._moved_prompts: Counter[_Move] = Counter()

    @property
    def moves(self) -> dict[str, Any]:
        """What this run has moved from whom to whom, most carbon first: `{"moves", "moves_total"}`."""
        moves = [
            {
                "from": move.before._asdict(),
                "to": move.after._asdict(),
                "prompts": self._moved_prompts[move],
                "carbon_gco2e": carbon / MICRO,
            }
            for move, carbon in self._moves.most_common(_MOVES_SHOWN)
        ]
        return {"moves": moves, "moves_total": len(self._moves)}

    def _look_up(self, connection: Connection, chunk: RecordedChunk) -> None:
        tenant_key = int(chunk.columns["tenant_key"][0])
        wanted = {*chunk.columns["attribution_key"].tolist(), *chunk.now.columns["attribution_key"].tolist()}
        if not wanted <= self._attributions.keys():
            # Meanwhile records that were read before may have been given others.
            found = attributions_of(connection, tenant_key)
            self._identity_keys.update((identity, key) for key, identity in found.items())
            self._attributions.update(found)
        principals = {*chunk.columns["user_key"].tolist(), *chunk.columns["api_key_key"].tolist()}
        self._principals |= principal_names(connection, tenant_key, principals - self._principals.keys())

    def _lines(self, chunk: RecordedChunk) -> Lines:
        target = self._wanted_keys(chunk)[chunk.row_of]
        now = chunk.now
        rows = np.flatnonzero((now.columns["attribution_key"] != target) & ~chunk.voided[chunk.row_of])
        taken = now.select(rows)
        added = Entries(taken.event_keys, {**taken.columns, "attribution_key": target[rows]}, taken.amounts)
        moved = Entries.joined(taken.negated(), added)
        return Lines({"mapping": moved} if len(moved) else {})

    def _wanted_keys(self, chunk: RecordedChunk) -> Ints:
        """The attribution that each record is to be charged to, shape (n,)."""
        columns = chunk.columns
        at_us = _key_times_us(chunk)
        epoch = np.searchsorted(np.array(self.charging.boundaries_us, dtype=np.int64), at_us, side="right")
        kinds, first, use = np.unique(
            np.column_stack([columns["attribution_key"], columns["user_key"], columns["api_key_key"], epoch]),
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        wanted = [
            self._wanted(key, user, api_key, int(at_us[row]))
            for (key, user, api_key, _), row in zip(kinds.tolist(), first.tolist(), strict=True)
        ]
        self._give_keys([identity for identity in wanted if identity not in self._identity_keys])
        keys = np.array([self._identity_keys[identity] for identity in wanted], dtype=np.int64)
        return keys[use.reshape(-1).astype(np.intp)]

    def _wanted(self, key: int, user: int, api_key: int, at_us: int) -> AttributionIdentity:
        said_key = self._attributions[key].said_key or key
        said = self._attributions[said_key]
        names = Said(said.team_id, said.project_id, self._principals.get(user, ""), self._principals.get(api_key, ""))
        charged = self.charging.charged(self._tenant_id, names, at_us)
        if charged == ChargedTo(said.team_id, said.project_id):
            return said
        team, project, cost_centre = charged
        return AttributionIdentity(said.tenant_key, team, project, said.source, cost_centre, said_key)

    def _give_keys(self, missing: list[AttributionIdentity]) -> None:
        if not missing:
            return
        if self.order.dry_run:
            # Nothing is written, and no key is below 0.
            found = {
                identity: -1 - len(self._identity_keys) - number
                for number, identity in enumerate(dict.fromkeys(missing))
            }
        else:
            found = Dimensions(self.engine).attributions(missing)
        self._identity_keys.update(found)
        self._attributions.update({key: identity for identity, key in found.items()})

    def _posted(self, batch: CorrectedBatch) -> None:
        for chunk in batch.chunks:
            if (moved := chunk.lines.by_cause.get("mapping")) is not None:
                self._count(moved)

    def _count(self, moved: Entries) -> None:
        """What is added to others, which comes after what is taken away, line by line."""
        half = len(moved) // 2
        names = moved.columns["attribution_key"]
        carbon, prompts = moved.amounts[half:, _CARBON].tolist(), moved.amounts[half:, _PROMPTS].tolist()
        before, after = names[:half].tolist(), names[half:].tolist()
        for old, new, grams, number in zip(before, after, carbon, prompts, strict=True):
            move = _Move(self._charged(old), self._charged(new))
            self._moves[move] += grams
            self._moved_prompts[move] += number

    def _charged(self, key: int) -> ChargedTo:
        identity = self._attributions[key]
        return ChargedTo(identity.team_id, identity.project_id, identity.cost_centre)


def _key_times_us(chunk: RecordedChunk) -> NDArray[np.int64]:
    """The times by which events were charged: their own, and of those without one the midnight that their key begins with."""
    ended_at_us = chunk.columns["ended_at_us"]
    of_keys_us = times_of_keys_us(chunk.event_keys)
    return np.where(ended_at_us // 1000 * 1000 == of_keys_us, ended_at_us, of_keys_us)
