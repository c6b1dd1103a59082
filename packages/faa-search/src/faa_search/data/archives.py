"""The members of a ``.npz`` file: their headers are checked before memory is taken, and nothing is unpickled."""

import io
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.paths import refusal
from faa_core.reading import size_of
from faa_core.text import safe
from faa_search.data.memory import FEWER, check_memory

SUFFIX = ".npy"
NPY_MAGIC = b"\x93NUMPY"
ENCRYPTED = 0x1  # a bit of a member's flags
LONGEST_HEADER = 10_000  # letters, as numpy reads it without being told that it may be longer
ANEW = "Save it anew: np.savez('data.npz', images=images, labels=labels)."


@dataclass(frozen=True, slots=True)
class Member:
    """An array in a file, of which the header is read.

    Attributes:
        path: The file.
        name: Of the array.
        shape: As in the header; the member is as large as that needs.
        dtype: No Python objects.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> NDArray[Any]:
        """Return the array.

        Raises:
            FaaError: If it is damaged, or half of the memory would not hold it.
        """
        check_memory(self.nbytes, f"'{self.name}' of '{self.path}'", FEWER)
        with _archive(self.path) as archive:
            info = _members(archive, self.path)[self.name]
            if _header(archive, self.path, self.name, info) != self:
                raise FaaError(f"'{self.path}' has changed since it was opened.")
            with archive.open(info) as file:
                return npy.read_array(file, allow_pickle=False)


def members(path: Path, names: tuple[str, ...]) -> dict[str, Member]:
    """Return the arrays of some names that are there; no array is read, nor anything of the others.

    Raises:
        FaaError: If the file is not a ``.npz``, or one of these members cannot be read as an array.
    """
    _check_file(path)
    with _archive(path) as archive:
        there = _members(archive, path)
        return {name: _header(archive, path, name, there[name]) for name in names if name in there}


def names_in(path: Path) -> list[str]:
    """Return the names of all arrays."""
    with _archive(path) as archive:
        return list(_members(archive, path))


def _check_file(path: Path) -> None:
    if not size_of(path):
        raise FaaError(f"'{path}' cannot be read as .npz: it is empty. {ANEW}")
    try:
        with path.open("rb") as file:
            start = file.read(len(NPY_MAGIC))
    except OSError as error:
        raise refusal(error, f"'{safe(path)}' cannot be read") from error
    if start == NPY_MAGIC:
        raise FaaError(
            f"'{path}' cannot be read as .npz: it is one array (.npy). Save images and labels together: "
            "np.savez('data.npz', images=images, labels=labels)."
        )


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Give the open file; whatever goes wrong with it becomes an error that names it."""
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")  # numpy's of headers that Python 2 wrote, which it reads
            yield archive
    except FaaError:
        raise
    except Exception as error:  # what decompressors and numpy's parser of headers raise is not listed
        reason = str(error) or type(error).__name__
        raise FaaError(f"'{path}' cannot be read as .npz: {safe(reason):.200}.") from error


def _members(archive: zipfile.ZipFile, path: Path) -> Mapping[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(SUFFIX)
        if name in found:
            raise FaaError(f"'{path}' cannot be read as .npz: it has '{safe(name)}' twice. Save it anew with np.savez.")
        found[name] = info
    return found


def _header(archive: zipfile.ZipFile, path: Path, name: str, info: zipfile.ZipInfo) -> Member:
    """Return what the header of a member declares, if that can be true."""
    if info.flag_bits & ENCRYPTED:
        raise FaaError(f"'{path}' cannot be read as .npz: '{name}' is encrypted. Unpack it with its password. {ANEW}")
    try:
        file = archive.open(info)
    except (NotImplementedError, RuntimeError) as error:
        raise FaaError(
            f"'{path}' cannot be read as .npz: '{name}' is compressed otherwise ({error}). {ANEW}"
        ) from error
    with file:
        shape, dtype = _shape_and_dtype(file, path, name)
        left = info.file_size - file.tell()
    if dtype.hasobject:
        raise FaaError(
            f"'{path}' cannot be read as .npz: '{name}' holds Python objects (pickle), which could run anything. Save "
            f"numbers or texts: {name}=np.array(list(...), dtype=str)."
        )
    if math.prod(shape) * dtype.itemsize > left:
        raise FaaError(
            f"'{path}' cannot be read as .npz: '{name}' says it is {dtype} {list(shape)}, but holds {left:,} bytes. "
            f"{ANEW}"
        )
    return Member(path, name, shape, dtype)


def _shape_and_dtype(file: IO[bytes], path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"a header of version {version}")
    length = file.read(2 if version == (1, 0) else 4)
    letters = int.from_bytes(length, "little")
    if letters > LONGEST_HEADER:
        raise FaaError(
            f"'{path}' cannot be read as .npz: '{name}' has a header of {letters:,} letters; that of an array of "
            f"numbers or texts has about 100. {ANEW}"
        )
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _fortran, dtype = read(io.BytesIO(length + file.read(letters)))
    if any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"the shape {shape}")
    return shape, dtype
