"""Static files with hashed names, ES module imports included, so that they can be cached for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile, File
from whitenoise.storage import CompressedManifestStaticFilesStorage

OURS = "readerstudy/js/"
COMMENTS = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)


def without_comments(script: str) -> str:
    """One of our modules without the comments that fill whole lines: a reader's browser has no use for them.

    Nothing else is touched; our modules never begin a line of a string or template with ``//`` or ``/**``.
    """
    return COMMENTS.sub("", script)


class _Scripts:
    """A finder's storage whose scripts open without comments, whose ``import(...)`` of types are no dependencies."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage

    def open(self, path: str, mode: str = "rb") -> File:  # type: ignore[type-arg]
        with self.storage.open(path, mode) as source:
            return ContentFile(without_comments(source.read().decode()).encode())


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    support_js_module_import_aggregation = True

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Hash and rewrite every file; our own scripts as they are served."""
        served = {
            name: (_Scripts(storage), path) if name.startswith(OURS) and name.endswith(".js") else (storage, path)
            for name, (storage, path) in paths.items()
        }
        yield from super().post_process(served, dry_run, **options)
