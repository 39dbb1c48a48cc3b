"""One page a file, in the words of `app.py`."""
