"""One thin file per asset, in the order of the flow.

Each has the same three parts: what the result would be made from, how it is made, what is shown.
"""
