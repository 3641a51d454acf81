"""Geometry of latent space in pure NumPy: paths, grids, projections, mosaics."""
