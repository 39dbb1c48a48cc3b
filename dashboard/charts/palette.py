"""One colour for one thing on every page.

Colours are those of Okabe and Ito (2008), which colour-blind people tell apart (the blue lightened for dark pages);
where colour carries meaning, a pattern, a symbol or a number says the same.
"""

CLASS_COLOURS = {"CT": "#1F83C9", "MR": "#E69F00", "PT": "#009E73", "XR": "#CC79A7"}
CLASS_PATTERNS = {"CT": "", "MR": "/", "PT": ".", "XR": "x"}
SPLIT_COLOURS = {"train": "#8A8F98", "validate": "#56B4E9", "test": "#D55E00"}
SPLIT_PATTERNS = {"train": "", "validate": "/", "test": "."}
SPLIT_SYMBOLS = {"train": "circle", "validate": "diamond", "test": "square"}
SERIES_COLOURS = ("#1F83C9", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
FIRST, OTHER = "#1F83C9", "#D55E00"
"""The model looked at, and the one that it is compared with."""
PUBLISHED = "#009E73"
GREY = "#8A8F98"
