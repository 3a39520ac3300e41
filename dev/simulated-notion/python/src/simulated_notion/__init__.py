"""A stateful simulator of Notion's OAuth and content API, as a process that tests start and steer.

>>> from simulated_notion import SimulatedNotion
>>> with SimulatedNotion() as notion:
...     location = notion.approve(f"{notion.authorize_url}&state=s")
>>> "code=" in location
True
"""

from simulated_notion.control import ControlError, RecordedRequest
from simulated_notion.process import SimulatedNotion, StartError
from simulated_notion.sample import (
    ACME,
    ADA,
    EDSGER,
    GLOBEX,
    GRACE,
    HANDBOOK,
    MEETING_NOTES,
    ROADMAP,
    SALARIES,
)

__all__ = [
    "ACME",
    "ADA",
    "EDSGER",
    "GLOBEX",
    "GRACE",
    "HANDBOOK",
    "MEETING_NOTES",
    "ROADMAP",
    "SALARIES",
    "ControlError",
    "RecordedRequest",
    "SimulatedNotion",
    "StartError",
]
