"""The database backend of a default installation: a writing transaction begins when it is its turn."""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3 import base

from readerstudy.sqlite.turns import Turns


class DatabaseWrapper(base.DatabaseWrapper):
    """Differs from Django's in when a transaction may begin, and in nothing else."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._turns: Turns | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self._turns is not None:
            self._turns.close()
        self._turns = None if self.is_in_memory_db() else Turns(f"{conn_params['database']}")
        return connection

    def _start_transaction_under_autocommit(self) -> None:
        if self._turns is not None:
            self._turns.take(float(self.settings_dict["OPTIONS"].get("timeout", 5.0)))
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_back()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._give_back()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._give_back()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            if self._turns is not None:
                self._turns.close()

    def _give_back(self) -> None:
        if self._turns is not None:
            self._turns.give_back()
