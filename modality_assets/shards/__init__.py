"""Training shards: many datasets' decoded images as few large files, shuffled, with provenance per row.

`index` names the format once; `writer` and `reader` are mirrors around it; `loader` feeds a device.
Nothing is imported here, so that reading needs numpy only and loading numpy and torch only.
"""
