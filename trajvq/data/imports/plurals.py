"""Numbers with their noun, for what an import says."""


def counted(number: int, noun: str) -> str:
    """Return ``1 video``, or ``2 videos`` for any other number."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
