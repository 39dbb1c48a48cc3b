"""From a file to its class: rescaled pixels and native intensities, calibrated, joined, voted on by series."""
