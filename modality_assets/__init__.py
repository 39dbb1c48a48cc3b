"""Medical images of many public datasets, and models that tell their modality from pixels alone."""

__version__ = "0.1.0"
