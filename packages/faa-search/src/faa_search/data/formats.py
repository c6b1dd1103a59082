"""Which image files are read: those of every format that the installed Pillow decodes by itself."""

from PIL import Image, ImageFile, features

# Formats that start another program (EPS starts Ghostscript; IPTC opens whatever is inside), or only tell the size.
NOT_READ = frozenset({"EPS", "IPTC", "MPEG"})
NEEDS = {"AVIF": "avif", "JPEG": "jpg", "JPEG2000": "jpg_2000", "MPO": "jpg", "WEBP": "webp"}  # optional in Pillow
WITHOUT_MARK = ("TGA", "PCD")  # a file of another format may pass for one of these, so they are tried last


def formats_by_suffix() -> dict[str, str]:
    """Return the format of each suffix that is read, such as ``.png``; in lower case."""
    Image.init()
    return {suffix: name for suffix, name in sorted(Image.registered_extensions().items()) if _is_decoded(name)}


def formats_to_try(first: str = "") -> list[str]:
    """Return the formats that a file may have, in the order to try them.

    Args:
        first: The one its suffix says, or "".
    """
    names = sorted(set(formats_by_suffix().values()) & set(Image.OPEN), key=lambda name: (name in WITHOUT_MARK, name))
    first = "JPEG" if first == "MPO" else first  # one opener reads both
    return [first, *(name for name in names if name != first)] if first else names


def _is_decoded(name: str) -> bool:
    opener = Image.OPEN["JPEG" if name == "MPO" else name][0] if name in Image.OPEN or name == "MPO" else None
    stub = isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)  # knows the format, has no decoder
    built = name not in NEEDS or features.check(NEEDS[name])
    return opener is not None and not stub and bool(built) and name not in NOT_READ
