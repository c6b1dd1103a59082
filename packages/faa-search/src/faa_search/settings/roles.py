"""What a setting decides."""

from enum import Enum


class Role(Enum):
    """What a setting decides, and so where it is kept and when it may change."""

    PLACE = "where the images are: a run goes on elsewhere once they are found to be the same"
    NETWORK = "which images and which network: what two runs share that share networks"
    RESULT = "what a run comes to, in any other way"
    CHOICE = "which policy is made of the trials there are: --stage merge may change it"
    DEVICE = "where it is computed: kept as it was set when the run began"
    PACE = "how fast and how far a run goes and what else it writes: a run goes on with others"


DECIDING = (Role.NETWORK, Role.RESULT, Role.CHOICE)  # what must be the same for the same result
