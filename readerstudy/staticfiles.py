"""Static files with hashed names, ES module imports included, so that they can be cached for ever."""

from __future__ import annotations

import re

from django.core.files.base import ContentFile, File
from whitenoise.storage import CompressedManifestStaticFilesStorage

OURS = "readerstudy/js/"
COMMENTS = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)


def without_comments(script: str) -> str:
    """One of our modules without the comments that fill whole lines: a reader's browser has no use for them.

    Nothing else is touched; our modules never begin a line of a string or template with ``//`` or ``/**``.
    """
    return COMMENTS.sub("", script)


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    support_js_module_import_aggregation = True

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        if name.replace("\\", "/").startswith(OURS) and name.endswith(".js"):
            content = ContentFile(without_comments(content.read().decode()).encode())
        saved: str = super()._save(name, content)
        return saved
