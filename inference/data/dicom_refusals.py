"""Which DICOM objects are images this product can read, and the sentence for each one that is not."""

CT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
}
MR_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
}
US_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.6.1",
}
SECONDARY_CAPTURE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
    "1.2.840.10008.5.1.4.1.1.7.4",
}
IMAGE_CLASSES = CT_CLASSES | MR_CLASSES | US_CLASSES | SECONDARY_CAPTURE_CLASSES

# The longest matching prefix decides, so that families are named once and exceptions beside them.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_REFUSED_PREFIXES = {
    "1.2.840.10008.1.3.10": "DICOMDIR index: it holds no image, import the image files that it lists.",
    "1.2.840.10008.5.1.4.38": "Hanging protocol without pixels: export the image series instead.",
    "1.2.840.10008.5.1.4.39": "Colour palette without pixels: export the image series instead.",
    _STORAGE + "1": "Radiograph (CR, DX or mammography): only CT, MR and ultrasound can be studied here.",
    _STORAGE + "2": "Unknown kind of CT object: export it as CT or enhanced CT images.",
    _STORAGE + "4.2": "MR spectroscopy has no image: export the MR image series instead.",
    _STORAGE + "4.3": "Colour MR map: export the grey MR images it was made from.",
    _STORAGE + "6.2": "Three-dimensional ultrasound volume: export two-dimensional images or cine loops.",
    _STORAGE + "7.1": "One-bit secondary capture: export the original image series instead.",
    _STORAGE + "9": "Waveform (ECG, sound or pressure) without an image: export the image series instead.",
    _STORAGE + "11": "Presentation state without pixels: export the image series it refers to.",
    _STORAGE + "12": "Angiography or fluoroscopy: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "13": "Projection X-ray volume: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "14": "Intravascular optical tomography: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "20": "Nuclear medicine image: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "30": "Parametric map derived from images: export the image series it was computed from.",
    _STORAGE + "66": "Raw data without an image: export the image series instead.",
    _STORAGE + "66.1": "Spatial registration without pixels: export the image series instead.",
    _STORAGE + "66.2": "Spatial fiducials without pixels: export the image series instead.",
    _STORAGE + "66.3": "Deformable registration without pixels: export the image series instead.",
    _STORAGE + "66.4": "Segmentation, not an image: export the image series it was drawn on.",
    _STORAGE + "66.5": "Surface segmentation, not an image: export the image series it was drawn on.",
    _STORAGE + "66.6": "Tractography result, not an image: export the MR image series instead.",
    _STORAGE + "66.7": "Label map segmentation, not an image: export the image series it was drawn on.",
    _STORAGE + "67": "Real-world value mapping without pixels: export the image series instead.",
    _STORAGE + "68": "Surface scan, not an image: export the image series instead.",
    _STORAGE + "77": "Visible light or microscopy image: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "78": "Eye measurement without an image: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "88": "Structured report without pixels: export the image series instead.",
    _STORAGE + "91": "Microscopy annotations without pixels: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "104": "Encapsulated document, not an image: export the image series instead.",
    _STORAGE + "128": "PET image: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "130": "PET image: only CT, MR and ultrasound can be studied here.",
    _STORAGE + "481": "Radiotherapy object: export the planning CT or MR series instead.",
    _STORAGE + "481.2": "Radiotherapy dose grid, not an image: export the planning CT or MR series instead.",
    _STORAGE + "481.3": "Radiotherapy structure set without pixels: export the planning CT or MR series instead.",
    _STORAGE + "481.5": "Radiotherapy plan without pixels: export the planning CT or MR series instead.",
    _STORAGE + "481.8": "Radiotherapy plan without pixels: export the planning CT or MR series instead.",
}

UNKNOWN_CLASS = "Kind of DICOM object that is not read here: export it as CT, MR or ultrasound images."
NO_CLASS = "The header does not say what kind of object this is (SOP class): export the series again."
WRONG_MODALITY = "Modality is not CT, MR or ultrasound: only these three can be studied here."
NO_PIXELS = "The header describes no image (no rows and columns): export the image series with its pixels."

_DECODABLE = {
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.5",
}
JPEG_LOSSLESS = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}
UNCOMPRESSED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
RLE = "1.2.840.10008.1.2.5"
LOSSY = {
    "1.2.840.10008.1.2.4.50": "lossy JPEG source",
    "1.2.840.10008.1.2.4.51": "lossy JPEG source",
    "1.2.840.10008.1.2.4.81": "near-lossless JPEG-LS source",
    "1.2.840.10008.1.2.4.91": "JPEG 2000 source, possibly lossy",
    "1.2.840.10008.1.2.4.203": "high-throughput JPEG 2000 source, possibly lossy",
}
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.8.1"}


def refusal_of_class(sop_class: str) -> str | None:
    """Return the sentence that refuses this SOP class, or None where it is an image class we read."""
    if not sop_class:
        return NO_CLASS
    if sop_class in IMAGE_CLASSES:
        return None
    prefix = sop_class
    while prefix:
        if prefix in _REFUSED_PREFIXES:
            return _REFUSED_PREFIXES[prefix]
        prefix = prefix.rpartition(".")[0]
    return UNKNOWN_CLASS


def refusal_of_syntax(transfer_syntax: str) -> str | None:
    """Return the sentence that refuses this transfer syntax, or None where its pixels can be decoded."""
    if not transfer_syntax:
        return "The file does not say how it is encoded (transfer syntax): export the series again."
    if transfer_syntax in _DEFLATED:
        # A deflated data set of 0.5 MB was seen to inflate to 1 GB inside the parser, before any check.
        return "Deflated transfer syntax is not opened for safety: export as Explicit VR Little Endian."
    if transfer_syntax not in _DECODABLE:
        return "This compression cannot be decoded here: export uncompressed, or as JPEG-LS, JPEG 2000 or RLE."
    return None


def modality_of_class(sop_class: str, modality: str) -> str | None:
    """Return CT, MR or US for an image class; secondary captures count by their Modality attribute."""
    if sop_class in CT_CLASSES:
        return "CT"
    if sop_class in MR_CLASSES:
        return "MR"
    if sop_class in US_CLASSES:
        return "US"
    return modality if modality in ("CT", "MR", "US") else None
