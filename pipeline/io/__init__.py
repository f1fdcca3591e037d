"""File input and output: text, images, HDF5, weights."""
