"""The one DICOM reader of the product: a folder, file or zip becomes cases and one report for every file.

`read_folder` reads in this process. `read_in_child` reads the same in a child process with limits of memory
and time, which is how untrusted uploads are read; importing this module does not import pydicom. The command

    python -m inference.data.dicom --out DIR [--max-matrix 512] ROOT

is the child: it limits itself and writes one JSON line per event.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from inference.data.dicom_child import ReaderStoppedError, read_in_child
from inference.data.dicom_types import (
    FileReport,
    Limits,
    Modality,
    Progress,
    RefusalError,
    SeriesImage,
    patient_source_id,
    slice_source_id,
    training_source_ids,
)

__all__ = [
    "FileReport",
    "Limits",
    "Modality",
    "Progress",
    "ReaderStoppedError",
    "RefusalError",
    "SeriesImage",
    "patient_source_id",
    "read_folder",
    "read_in_child",
    "slice_source_id",
    "training_source_ids",
]


def read_folder(
    root: Path, *, max_matrix: int = 512, limits: Limits | None = None
) -> Iterator[FileReport | SeriesImage | Progress]:
    """Read every file below a folder (or one file, or a zip): exactly one report per file, and the cases.

    A series' cases come before the reports of its files. Memory holds one series at a time. Raises
    FileNotFoundError where there is nothing at `root`; no content of a file raises.
    """
    from inference.data.dicom_folder import Case, read_source

    if not root.exists():
        raise FileNotFoundError(f"There is nothing at {root}: give a folder, a DICOM file or a zip.")
    for event in read_source(root, max_matrix, limits or Limits()):
        yield event.image if isinstance(event, Case) else event


if __name__ == "__main__":
    from inference.data.dicom_worker import main

    sys.exit(main())
