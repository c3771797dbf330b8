"""Reads Tessera's HDF5 files and draws them."""
