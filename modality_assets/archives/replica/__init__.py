"""The embedded archive: an NBIA server over a folder of DICOM, and the phantoms that it holds by default."""
