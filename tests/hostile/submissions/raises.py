"""An error that nobody caught."""

raise ValueError("voxel size 0.001 mm")
