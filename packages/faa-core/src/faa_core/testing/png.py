"""PNG files of the same bytes everywhere: compressors differ from version to version, so nothing is compressed."""

import zlib
from struct import pack

from faa_core.testing.images import Pixels

LONGEST_BLOCK = 65535


def png(pixels_HWC: Pixels) -> bytes:
    """Return a PNG file of uint8 ``[H, W, C]``, grey where C is 1 and RGB where it is 3."""
    height, width, channels = pixels_HWC.shape
    header = pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels_HWC)  # each begins with its filter: none
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))


def _stored(content: bytes) -> bytes:
    """Return a zlib stream of stored blocks (RFC 1950 and 1951)."""
    blocks = [content[at : at + LONGEST_BLOCK] for at in range(0, len(content), LONGEST_BLOCK)]
    packed = [
        pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks, start=1)
    ]
    return b"\x78\x01" + b"".join(packed) + pack(">I", zlib.adler32(content))
