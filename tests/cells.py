"""Designs with other transistors."""

from netlists.design import Design


def with_cell(design: Design, **cell: object) -> Design:
    """``design`` with keys of its section ``cell`` changed."""
    data = design.model_dump(mode="json", exclude_none=True)
    return Design.model_validate({**data, "cell": {**data["cell"], **cell}})
