"""How the catalogue finds what it is asked for, by the very queries that the product makes."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import event

from recorder.store.store import Store


def plans_of(store: Store, table: str, *asks: Callable[[], object]) -> list[str]:
    """The steps of SQLite's plan for each query of a table that these make by reading, in order."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(*told: object) -> None:
        query, values = told[2], told[3]
        assert isinstance(query, str)
        assert isinstance(values, tuple)
        asked.append((query, values))

    engine = store.database._reader
    event.listen(engine, "before_cursor_execute", listen)
    for ask in asks:
        ask()
    event.remove(engine, "before_cursor_execute", listen)
    mine = [one for one in asked if f"FROM {table}" in one[0]]
    with store.database.read() as connection:
        found = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all() for query, values in mine]
    return [str(row[-1]) for plan in found for row in plan]
