"""Which image files are read: those of every format that the installed Pillow decodes by itself."""

from PIL import Image, ImageFile, features

# Formats that start another program (EPS starts Ghostscript; IPTC opens whatever is inside), or only tell the size.
NOT_READ = frozenset({"EPS", "IPTC", "MPEG"})
NEEDS = {"AVIF": "avif", "JPEG": "jpg", "JPEG2000": "jpg_2000", "MPO": "jpg", "WEBP": "webp"}  # optional in Pillow
WITHOUT_MARK = ("TGA", "PCD")  # a file of another format may pass for one of these, so they are tried last


def formats_by_suffix() -> dict[str, tuple[str, ...]]:
    """Return the formats to try for each suffix that is read, such as ``.png``: its own first, then all others.

    Suffixes are in lower case.
    """
    Image.init()
    said = {suffix: name for suffix, name in sorted(Image.registered_extensions().items()) if _is_decoded(name)}
    names = all_formats()
    first = {suffix: "JPEG" if name == "MPO" else name for suffix, name in said.items()}  # one opener reads both
    return {suffix: (one, *(name for name in names if name != one)) for suffix, one in first.items()}


def all_formats() -> tuple[str, ...]:
    """Return the formats that an image may have of which nothing is known, in the order to try them."""
    Image.init()
    return tuple(sorted(filter(_is_decoded, Image.OPEN), key=lambda name: (name in WITHOUT_MARK, name)))


def _is_decoded(name: str) -> bool:
    opener = Image.OPEN.get("JPEG" if name == "MPO" else name, (None, None))[0]
    stub = isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)  # knows the format, has no decoder
    built = name not in NEEDS or bool(features.check(NEEDS[name]))
    known = name in set(Image.registered_extensions().values())  # the others have no mark and take anything
    return opener is not None and known and built and not stub and name not in NOT_READ
