"""The Dagster room: thin assets over the plain functions of the other rooms."""
