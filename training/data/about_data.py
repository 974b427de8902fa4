"""What is known about a data set beside its images; it goes into the record of a model, its card and its figures."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"


@dataclass(frozen=True)
class About:
    """What is known about a data set."""

    title: str
    """What people call it."""
    classes: tuple[str, ...]
    """What the labels stand for; one class where there are none."""
    licence: str = UNKNOWN
    """Of the images."""
    credit: str = ""
    """Who made it."""
    hub: str | None = None
    """Its repo on the Hub."""

    @property
    def attribution(self) -> str:
        """Its title, who made it and its licence, as one sentence."""
        licence = "licence unknown" if self.licence == UNKNOWN else self.licence
        return f"{self.title}: {', '.join(filter(None, (self.credit, licence)))}."
