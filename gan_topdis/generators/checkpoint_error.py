"""The one error for a network file that cannot be read safely."""


class CheckpointError(ValueError):
    """A network file is damaged, hostile, or of a family that is not supported.

    The message is one line: what was found, and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
