"""The objects of clips, one after another."""

import numpy as np

from trajvq.data.storage.shards import SCHEMA, Columns


def by_object(columns: Columns) -> Columns:
    """Return columns ``(M, ...)`` of all M objects that exist; a column of clips is repeated for each object."""
    exists = ~np.isnan(columns["radius"][:, 0])
    clip, number = np.nonzero(exists)
    objects = {}
    for name, column in columns.items():
        dimensions = SCHEMA[name][1]
        axis = dimensions.index("K") + 1 if "K" in dimensions else 0
        objects[name] = np.moveaxis(column, axis, 1)[clip, number] if axis else column[clip]
    return objects
