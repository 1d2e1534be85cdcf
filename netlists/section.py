"""What every section of a file is: immutable, and without keys that it does not know."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of a design, stack or study file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
