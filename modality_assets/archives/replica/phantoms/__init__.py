"""Synthetic phantoms: random patients drawn from ellipsoids, imaged by simple physics, written as DICOM."""
