"""What can be computed about an objective and its runs: curvature, limits, basins."""
