"""Lossless JPEG against an encoder of the test's own, with every predictor."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.data.dicom_jpeg_lossless import LosslessJpegError, decode_jpeg_lossless


def predict(image: NDArray[np.int64], y: int, x: int, predictor: int, precision: int) -> int:
    if y == 0 and x == 0:
        return 1 << (precision - 1)
    if y == 0:
        return int(image[y, x - 1])
    if x == 0:
        return int(image[y - 1, x])
    a, b, c = int(image[y, x - 1]), int(image[y - 1, x]), int(image[y - 1, x - 1])
    return (a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1)[predictor - 1]


def encode(image: NDArray[np.int64], predictor: int, precision: int) -> bytes:
    """Return a stream whose seventeen categories all have five-bit codes."""
    bits = ""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            gap = (int(image[y, x]) - predict(image, y, x, predictor, precision) + 32767) % 65536 - 32767
            category = 16 if gap == 32768 else abs(gap).bit_length()
            bits += format(category, "05b")
            if 0 < category < 16:
                bits += format(gap if gap > 0 else gap + (1 << category) - 1, f"0{category}b")
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    rows, cols = (side.to_bytes(2, "big") for side in image.shape)
    table = (
        b"\xff\xc4" + (2 + 1 + 16 + 17).to_bytes(2, "big") + bytes([0, 0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))
    )
    frame = b"\xff\xc3\x00\x0b" + bytes([precision]) + rows + cols + b"\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00" + bytes([predictor]) + b"\x00\x00"
    return b"\xff\xd8" + table + frame + scan + data + b"\xff\xd9"


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_every_predictor_returns_the_samples(predictor: int, precision: int) -> None:
    rng = np.random.Generator(np.random.PCG64(predictor))
    smooth = np.cumsum(rng.integers(-3, 4, (13, 17)), axis=1) + (1 << (precision - 1))
    rough = rng.integers(0, 1 << precision, (13, 17))
    for image in (smooth % (1 << precision), rough):
        np.testing.assert_array_equal(decode_jpeg_lossless(encode(image, predictor, precision)), image)


@pytest.mark.parametrize("cut", [0, 3, 40, 60, 80])
def test_cut_streams_are_refused(cut: int) -> None:
    image = np.arange(400).reshape(20, 20)
    with pytest.raises(LosslessJpegError):
        decode_jpeg_lossless(encode(image, 1, 12)[:cut])


def test_a_lossy_stream_is_refused_by_name() -> None:
    stream = encode(np.arange(400).reshape(20, 20), 1, 8).replace(b"\xff\xc3", b"\xff\xc0")
    with pytest.raises(LosslessJpegError, match="not of the lossless process"):
        decode_jpeg_lossless(stream)
