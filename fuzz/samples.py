"""Valid inputs that are made, not kept: archives of arrays, images of every format that the installed Pillow writes.

Also what keeps a changed input from being refused at its checksum, before anything else of it is looked at.
"""

import io
import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def archives() -> Iterator[bytes]:
    """Yield ``.npz`` files of six images, plain and compressed, and some that no version should take."""
    images, labels = np.arange(6 * 8 * 8 * 3, dtype=np.uint8).reshape(6, 8, 8, 3), np.arange(6) % 3
    whole = {"images": images, "labels": labels}
    for more in (
        {},
        {"class_names": np.array(["a", "b", "c"])},
        {"test_images": images[:2], "test_labels": labels[:2]},
        {"images": images[..., 0], "labels": labels.astype(np.uint8)},
        {"labels": labels * 100},
        {"labels": np.array([0, 1, 2, 0, 1, 2**62])},
        {"labels": labels.astype(float)},
        {"images": images[:, :0], "class_names": np.array("abc")},
        {"images": images.astype(np.uint16), "class_names": np.array(["a", "a", "b"])},
        {"objects": np.array([{}], dtype=object), "labels": labels - 1},
    ):
        for save in (np.savez, np.savez_compressed):
            stream = io.BytesIO()
            save(stream, **(whole | more))
            yield stream.getvalue()


def images() -> Iterator[bytes]:
    """Yield a small image in every format that Pillow writes and reads, in several modes."""
    Image.init()
    pixels = np.add.outer(np.arange(12), np.arange(10) * 3)[..., None] * np.array([1, 5, 9]) % 256
    rgb = Image.fromarray(pixels.astype(np.uint8))
    for name in sorted(set(Image.SAVE) & set(Image.OPEN)):
        for mode in ("RGB", "P", "L", "RGBA", "1", "I"):
            stream = io.BytesIO()
            try:
                rgb.convert("L" if mode == "I" else mode).convert(mode).save(stream, name)
            except (OSError, KeyError, ValueError, RuntimeError, TypeError):  # a mode or codec that the format has not
                continue
            yield stream.getvalue()


def with_checksums(content: bytes) -> bytes:
    """Return a PNG's chunks, an archive's members or a journal's lines with the checksums of what they hold now."""
    if content.startswith(PNG):
        return _chunks(content)
    return _members(content) if content.startswith(b"PK") else b"\n".join(map(_line, content.split(b"\n")))


def _chunks(content: bytes) -> bytes:
    at, parts = len(PNG), [PNG]
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunk = content[at + 4 : at + 8 + length]
        parts.append(content[at : at + 4] + chunk + struct.pack(">I", zlib.crc32(chunk)))
        at += 12 + length
    return b"".join(parts)


def _members(content: bytes) -> bytes:
    """Return an archive with checksums of its members that are not compressed."""
    found = bytearray(content)
    at = content.find(b"PK\1\2")
    while 0 <= at <= len(content) - 46:
        method, size, name, start = struct.unpack("<10xH8xI4xH12xI", content[at : at + 46])
        begin = start + 30 + name + int.from_bytes(content[start + 28 : start + 30], "little")
        checksum = struct.pack("<I", zlib.crc32(content[begin : begin + size]))
        if method == 0 and start + 18 <= len(content):
            found[at + 16 : at + 20] = found[start + 14 : start + 18] = checksum
        at = content.find(b"PK\1\2", at + 1)
    return bytes(found)


def _line(line: bytes) -> bytes:
    try:
        fields = json.loads(line)
        check = fields.pop("check")
        rest = json.dumps(fields, sort_keys=True)
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return line
    return line.replace(json.dumps(check).encode(), f'"{zlib.crc32(rest.encode()):08x}"'.encode())
