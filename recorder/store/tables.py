"""The catalogue's tables; seen by the store alone.

The catalogue is an index: every fact in it stands in a leaf of the log or in a segment's file too, and can be made
again from them. Instants are microseconds since the epoch, UTC; hashes are lower-case hex.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData()

log_state = Table(
    "log_state",
    metadata,
    # One row. It makes a transaction that appends leaves self-contained: nothing about the log lives in memory,
    # so a rolled-back transaction leaves nothing to undo.
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),  # leaves appended, checkpointed or not
    Column("elapsed_us", BigInteger, nullable=False),  # box time at the last leaf
    Column("boot", String, nullable=False),  # the boot in which `mono_us` was read
    Column("mono_us", BigInteger, nullable=False),  # monotonic clock at the last leaf
    Column("checkpoint_size", BigInteger, nullable=False),
    Column("checkpoint_root", String, nullable=False),
    Column("checkpoint_us", BigInteger, nullable=False),
    Column("sm2_public", String),  # the SM2 key that the log binds, as in its leaf; NULL: none was ever made
    Column("sm2_leaf", BigInteger),
)

leaves = Table(
    "leaves",
    metadata,
    # Leaves that no durable checkpoint covers yet. They go into the tiles and leave this table; so it stays small.
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

cameras = Table(
    "cameras",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("url", String, nullable=False),  # never with user name or password
    Column("username", String),
    Column("password_file", String),  # of cameras of the configuration file; others' passwords lie under keys/
    Column("enabled", Boolean, nullable=False),
    Column("transport", String, nullable=False, server_default="tcp"),
    Column("ca_file", String),  # of cameras of the configuration file
    Column("audio", String, nullable=False, server_default="off"),  # off | on
    Column("allow_basic", Boolean, nullable=False, server_default=false()),  # its password may be sent readable
    Column("protection", String, nullable=False, server_default="ordinary"),  # ordinary | counter_terrorism
    Column("floor_days", Integer),  # what it was told of its keeping; NULL: as the box keeps all
    Column("target_days", Integer),
    Column("purpose", String),
    Column("volume", String),  # where its footage goes before any other place; NULL: where most is free
    Column("description", LargeBinary),  # its SDP, raw, when it was last connected to: for support
    Column("managed_by", String, nullable=False),
    Column("registered_us", BigInteger, nullable=False),
    Column("retired_us", BigInteger),
    Column("leaf_index", BigInteger, nullable=False),
    Column("leaf_hash", String, nullable=False),  # of the registration leaf: `prev` of item 0
)

streams = Table(
    "streams",
    metadata,
    # The head of each stream's chain. It could be read from `items`, but every commit and every beat needs it.
    Column("id", String, primary_key=True),
    Column("camera_id", String, ForeignKey("cameras.id"), nullable=False),
    Column("next_n", BigInteger, nullable=False),
    Column("prev", String, nullable=False),
    Column("t1_us", BigInteger, nullable=False),
    # In the order of registration: where its items' rows lie (`clustering`). NULL: they lie anywhere.
    Column("number", Integer),
)

runs = Table(
    "runs",
    metadata,
    # What all segments of a run share; a month's coverage reads these, not its segments.
    Column("stream_id", String, ForeignKey("streams.id"), primary_key=True),
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("t0_us", BigInteger, nullable=False),
    Column("t1_us", BigInteger, nullable=False),
    Column("n1", BigInteger, nullable=False),  # last item so far
    Index("runs_by_end", "stream_id", "t1_us"),
)

items = Table(
    "items",
    metadata,
    Column("stream_id", String, ForeignKey("streams.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),  # segment | gap
    Column("t0_us", BigInteger, nullable=False),
    Column("t1_us", BigInteger, nullable=False),
    Column("prev", String, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("leaf_hash", String, nullable=False),
    Column("elapsed_us", BigInteger, nullable=False),  # box time of the leaf: half of the age that guards deletion
    # gaps
    Column("cause", String),
    Column("detail", String),
    # segments
    Column("run", BigInteger),
    Column("volume", String),
    Column("path", String),
    Column("bytes", BigInteger),
    Column("init_bytes", Integer),
    Column("init_sha256", String),
    Column("frames", Integer),
    Column("lost_packets", Integer),
    Column("codec", String),
    Column("width", Integer),
    Column("height", Integer),
    Column("clock_offset_us", BigInteger),
    Column("sha256", String),
    Column("sm3", String),  # where it was hashed with SM3 too, as in the leaf
    Column("recovered", Boolean),
    Column("clock_drift_ppb", BigInteger),  # where it is known, as in the leaf
    Column("audio", Text),  # the leaf's field of that name as JSON, where there is sound
    Column("camsig", String),  # the leaf's field of that name, a blank between; NULL: nobody has looked
    Column("utc_offset_s", Integer),  # where the leaf has it
    Column("state", String),  # present | going | gone
    Column("del_leaf", BigInteger),  # index of the leaf that announced the discard
    Column("done_leaf", BigInteger),  # index of the leaf that reported it
    # the scrub
    Column("checked_elapsed_us", BigInteger),  # box time at which its bytes were last looked at; written is the first
    Column("damage", String),  # what was wrong with them then (`Damage`); NULL: nothing
    Column("damage_leaf", BigInteger),  # index of the leaf that says so
    # No segment is longer than MAX_SEGMENT_US, so one B-tree range on the start finds all that overlap an interval.
    Index("items_by_start", "stream_id", "t0_us", "n"),
    # Gaps may be months long; they are few, so they have an index by their end.
    Index(
        "gaps_by_end", "stream_id", "t1_us", sqlite_where=text("kind = 'gap'"), postgresql_where=text("kind = 'gap'")
    ),
    # What the sweep asks: the oldest media still here of a stream. Its rows that are gone may be millions.
    Index(
        "present_by_end",
        "stream_id",
        "t1_us",
        sqlite_where=text("state = 'present'"),
        postgresql_where=text("state = 'present'"),
    ),
    # And what the oldest is on a disk that is full, of all streams.
    Index(
        "present_by_volume",
        "volume",
        "t1_us",
        sqlite_where=text("state = 'present'"),
        postgresql_where=text("state = 'present'"),
    ),
    Index("going", "stream_id", sqlite_where=text("state = 'going'"), postgresql_where=text("state = 'going'")),
    # What the scrub asks: of a volume, what was not looked at for longest.
    Index(
        "present_by_check",
        "volume",
        "checked_elapsed_us",
        sqlite_where=text("state = 'present'"),
        postgresql_where=text("state = 'present'"),
    ),
    Index(
        "damaged",
        "stream_id",
        "n",
        sqlite_where=text("damage IS NOT NULL"),
        postgresql_where=text("damage IS NOT NULL"),
    ),
)

scrubs = Table(
    "scrubs",
    metadata,
    # How far the scrub of each volume is. What comes next the items tell: this is for people alone.
    Column("volume", String, primary_key=True),
    Column("begun_us", BigInteger, nullable=False),  # when its present pass began, by the wall clock
    Column("begun_elapsed_us", BigInteger, nullable=False),  # and in box time
    Column("bytes", BigInteger, nullable=False),  # read in this pass
    Column("passes", Integer, nullable=False),  # that came to their end
    Column("total_bytes", BigInteger, nullable=False),  # read since there was a scrub
)

signing = Table(
    "signing",
    metadata,
    # Streams whose camera signs, or once did: a row is touched at each commit, so that nobody walks a month of items
    # to find out since when it does not any more.
    Column("stream_id", String, ForeignKey("streams.id"), primary_key=True),
    Column("kinds", String, nullable=False),  # as `items.camsig`, of the newest segment that had any
    Column("signed_us", BigInteger, nullable=False),  # where that one ends
    Column("unsigned_since_us", BigInteger),  # where the first one since then begins
    Column("unsigned_us", BigInteger, nullable=False),  # how much was recorded since then
)

records = Table(
    "records",
    metadata,
    # Side records: names, reasons, addresses. A leaf holds only SHA-256(salt + record), so that a record can be
    # erased and the tree still verifies.
    Column("hash", String, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON; both as long as before and blank: it was erased
)

erasures = Table(
    "erasures",
    metadata,
    # Side records that were erased. Not columns of `records`: a row that keeps its length is overwritten where it lies.
    Column("hash", String, ForeignKey("records.hash"), primary_key=True),
    Column("leaf_index", BigInteger, nullable=False),  # of the leaf whose record it was
    Column("erased_us", BigInteger, nullable=False),
    Column("audit_leaf", BigInteger, nullable=False),  # index of the leaf that says so
)

rules = Table(
    "rules",
    metadata,
    # How long each camera's footage was to be kept, from which entry on: an index of `camera` leaves, op `rule`.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("camera_id", String, ForeignKey("cameras.id"), nullable=False),
    Column("protection", String, nullable=False),
    Column("floor_days", Integer, nullable=False),
    Column("target_days", Integer, nullable=False),
    Column("margin_days", Integer, nullable=False),
    Column("record", String),  # the purpose; NULL: none was told
    Index("rules_of", "camera_id", "leaf_index"),
)

receipts = Table(
    "receipts",
    metadata,
    # What was discarded, an entry each: an index of `del` leaves. The items say it too, but of those there are
    # hundreds to an entry, and millions in a year.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("stream_id", String, ForeignKey("streams.id"), nullable=False),
    Column("n0", BigInteger, nullable=False),
    Column("n1", BigInteger, nullable=False),
    Column("done_leaf", BigInteger),  # index of the `del.done` leaf; NULL: the media is still to be unlinked
    Index("receipts_of", "stream_id", "leaf_index"),
    # No item is in two of them, so one range finds those of an interval.
    Index("receipts_by_item", "stream_id", "n0"),
)

volumes = Table(
    "volumes",
    metadata,
    # The disks that footage lies on, or once did: which one a path led to, so that another one there is known.
    Column("name", String, primary_key=True),
    Column("id", String),  # as in its volume.json; NULL: it was made before volumes had ids
    Column("path", String, nullable=False),  # where it was last
    Column("leaf_index", BigInteger),  # of the entry that says so; NULL: it came with the data directory
)

left_behind = Table(
    "left_behind",
    metadata,
    # Where a segment may have been begun on a volume that went away meanwhile: looked for once it is back.
    Column("volume", String, primary_key=True),
    Column("path", String, primary_key=True),  # of the finished segment
    Column("stream_id", String, ForeignKey("streams.id"), nullable=False),
    Column("n", BigInteger, nullable=False),
)

overwriting = Table(
    "overwriting",
    metadata,
    # Whether a full disk breaks the floor, by the entries that say so; the newest counts.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("is_on", Boolean, nullable=False),
)

breaches = Table(
    "breaches",
    metadata,
    # Footage that was discarded below its floor, on the owner's wish: an index of `breach` leaves.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("stream_id", String, ForeignKey("streams.id"), nullable=False),
    Column("n0", BigInteger, nullable=False),
    Column("n1", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("floor_days", Integer, nullable=False),
    Column("short_us", BigInteger, nullable=False),  # by how much too early, of the newest of them
    Column("bytes", BigInteger, nullable=False),
    Column("volume", String, nullable=False),
    Index("breaches_of", "stream_id", "n0"),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("t0_us", BigInteger, nullable=False),
    Column("t1_us", BigInteger, nullable=False),
    Column("record", String, nullable=False),
    Column("placed_us", BigInteger, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("released_us", BigInteger),
    Column("release_record", String),
    Column("release_leaf", BigInteger),
    Column("asked_t0_us", BigInteger),  # `t0_us` to `t1_us` is what is protected; NULL: the same, from before padding
    Column("asked_t1_us", BigInteger),
    Column("padding_before_s", Integer),
    Column("padding_after_s", Integer),
    Column("basis", String),  # NULL: from before there were bases
    Column("review_us", BigInteger),  # as it was placed; `hold_reviews` has what came after
)

hold_reviews = Table(
    "hold_reviews",
    metadata,
    # Review dates that were changed: an index of `audit` leaves, `hold_review`.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hold_id", Integer, ForeignKey("holds.id"), nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("review_us", BigInteger),
    Column("record", String, nullable=False),  # who, and why
    Index("hold_reviews_of", "hold_id", "leaf_index"),
)

hold_checks = Table(
    "hold_checks",
    metadata,
    # Passes over held media that came to their end: an index of `audit` leaves, `hold_checked`.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hold_id", Integer, ForeignKey("holds.id"), nullable=False),
    Column("checked_us", BigInteger, nullable=False),
    Column("segments", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False),
    Index("hold_checks_of", "hold_id", "leaf_index"),
)

hold_damage = Table(
    "hold_damage",
    metadata,
    # Held media that is not as it was recorded: an index of `finding` leaves, `held_damaged`, that none took back.
    Column("stream_id", String, ForeignKey("streams.id"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("why", String, nullable=False),  # altered | unreadable | missing
    Column("leaf_index", BigInteger, nullable=False),
)

hold_work = Table(
    "hold_work",
    metadata,
    # What the box has still to do for a hold. No row: all of it, or, of a released one, nothing. Not in the log.
    Column("hold_id", Integer, ForeignKey("holds.id"), primary_key=True),
    Column("is_linked", Boolean, nullable=False),  # whether all that is here had its link under `hold/` once
    # How far a pass over its media has come: behind this item; NULL: none is under way.
    Column("stream_id", String),
    Column("n", BigInteger),
    Column("segments", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False),
)

release_holders = Table(
    "release_holders",
    metadata,
    # Release codes that the log tells of, by the hash over what is kept of each: genesis, or `audit` `release_code`.
    Column("id", String, primary_key=True),
    Column("leaf_index", BigInteger, nullable=False),
    Column("ripe_us", BigInteger, nullable=False),  # in box time: before, it releases nothing
)

release_refusals = Table(
    "release_refusals",
    metadata,
    # Wrong release codes: an index of `audit` leaves, `release_refused`. In the catalogue, so that no restart forgets.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("elapsed_us", BigInteger, nullable=False),
)

hold_cameras = Table(
    "hold_cameras",
    metadata,
    Column("hold_id", Integer, ForeignKey("holds.id"), primary_key=True),
    Column("camera_id", String, ForeignKey("cameras.id"), primary_key=True),
)

exports = Table(
    "exports",
    metadata,
    # What was handed out, or is being made to be: evidence packages under `exports/`.
    Column("id", Integer, primary_key=True),
    Column("stream_id", String, ForeignKey("streams.id"), nullable=False),
    Column("t0_us", BigInteger, nullable=False),
    Column("t1_us", BigInteger, nullable=False),
    Column("record", String, nullable=False),  # case and reason
    Column("asked_us", BigInteger, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("state", String, nullable=False),  # queued | running | done | failed | cancelled | removed
    Column("done_bytes", BigInteger, nullable=False),
    Column("total_bytes", BigInteger, nullable=False),
    Column("problem_code", String),
    Column("problem_text", String),
    Column("ended_us", BigInteger),
)

views = Table(
    "views",
    metadata,
    # Footage that was handed out through the interface. To whom and why stands in the side record alone.
    Column("id", Integer, primary_key=True),
    Column("stream_id", String, ForeignKey("streams.id"), nullable=False),
    Column("kind", String, nullable=False),  # media | playlist | still
    Column("t0_us", BigInteger, nullable=False),
    Column("t1_us", BigInteger, nullable=False),
    Column("record", String, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Index("views_by_time", "opened_us", "id"),
    Index("views_by_stream", "stream_id", "opened_us", "id"),
    Index("views_by_leaf", "leaf_index", unique=True),
)

anchors = Table(
    "anchors",
    metadata,
    # Checkpoints of which somebody outside says that they existed, or has still to be asked.
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),  # of the tree
    Column("note", Text, nullable=False),  # the checkpoint as it was signed: later ones take its place on the disk
    Column("reason", String, nullable=False),  # hourly | due | hold | export
    Column("wanted_us", BigInteger, nullable=False),
    Column("stamped_us", BigInteger),  # the authority's or witness's time
    Column("token", String),  # SHA-256 of the answer, which lies under log/anchors; NULL: still to be asked for
    Column("leaf_index", BigInteger),
    Column("kind", String, nullable=False, server_default="rfc3161"),  # rfc3161 | witness
    Column("witness", String),  # its verifier key; NULL: an authority, whichever answers
    Index("anchors_of", "kind", "witness", "size"),
    Index("anchors_pending", "id", sqlite_where=text("token IS NULL"), postgresql_where=text("token IS NULL")),
)

log_keys = Table(
    "log_keys",
    metadata,
    # The keys that the log was signed with. A box from before there was this table has no row until its key is
    # replaced: its only key is the one beside the private half.
    Column("number", Integer, primary_key=True, autoincrement=False),  # 0 for the first, which genesis names
    Column("leaf_index", BigInteger, nullable=False),  # trees that hold this leaf are signed with it, until the next
    Column("key", String, nullable=False),  # public (C2SP vkey)
    Column("place", String),  # of its private half in a token (RFC 7512), when it was put in force; NULL: a file
)
