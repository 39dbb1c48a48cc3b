"""One random patient per call: the regions of a body as ellipsoids, from which every modality is rendered."""
