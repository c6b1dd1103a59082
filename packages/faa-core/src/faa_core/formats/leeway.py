"""What happens where two formats cannot express the same: it is refused, or the nearest is taken and named."""

from collections import Counter
from dataclasses import dataclass, field

from faa_core.errors import FaaError
from faa_core.text import counted

MOST = 8  # that a message names
SOME = 3  # values of one difference that are listed
LONGEST = 3_000  # characters of one
UNSAID = "A policy cannot express this"  # of what is read
WAY_OUT = "`faa policy convert --nearest` takes the nearest that there is, and names each difference."


@dataclass(frozen=True, slots=True)
class Leeway:
    """How exact a conversion must be, and what was noted on the way.

    Attributes:
        nearest: Whether what has no counterpart becomes the nearest that there is.
        notes: For people, a sentence or less each: what a policy is not about and was left out, and each difference.
    """

    nearest: bool = False
    notes: list[str] = field(default_factory=list)
    _differences: list[tuple[str, str, str, str]] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Note what was left out, or taken for granted, and changes no pixel that the policy is about."""
        if what not in self.notes:
            self.notes.append(what)

    def differ(self, what: str, given: object = None, *, at: str = "", why: str = "", instead: str = "") -> None:
        """Note a difference, which `settle` refuses unless the nearest is wanted.

        Args:
            what: Has no counterpart, such as ``Affine.shear.x``.
            given: Its value; differences that agree in all else are listed together.
            at: Its value in words, in place of `given`.
            why: How the two differ.
            instead: What the nearest is.
        """
        shown = at if given is None else f"{given:g}" if isinstance(given, float) else f"{given!r:.40}"
        self._differences.append((what, shown, why, instead))

    def settle(self, refusal: str, *, remedy: str = "") -> None:
        """Refuse the differences so far; or keep them as notes, where the nearest is wanted.

        Args:
            refusal: Begins the error, such as "A policy cannot express this".
            remedy: A sentence of what else can be done.

        Raises:
            FaaError: If there are any and they are not wanted.
        """
        listed = self._listed()
        self._differences.clear()
        if self.nearest:
            self.notes.extend(listed)
        elif listed:
            rest = f"; and {counted(len(listed) - MOST, 'other')}" if len(listed) > MOST else ""
            told = f"{'; '.join(listed[:MOST])[:LONGEST]}{rest}"
            raise FaaError(" ".join(part for part in (f"{refusal}: {told}.", remedy, WAY_OUT) if part))

    def _listed(self) -> list[str]:
        """Return the differences in words, those of one kind together."""
        kinds: dict[tuple[str, str, str], Counter[str]] = {}
        for what, given, why, instead in self._differences:
            kinds.setdefault((what, why, instead if self.nearest else ""), Counter())[given] += 1
        return [_words(what, values, why, instead) for (what, why, instead), values in kinds.items()]


def _words(what: str, values: Counter[str], why: str, instead: str) -> str:
    number, some = values.total(), ", ".join(list(values)[:SOME])
    shown = f" {some}" if some else ""
    several = f"{', …' if len(values) > SOME else ''}{f' ({number}×)' if number > 1 else ''}"
    return f"{what}{shown}{several}{f' ({why})' if why else ''}{f': {instead}' if instead else ''}"
