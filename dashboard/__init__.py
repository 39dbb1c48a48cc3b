"""The dashboard: pages over materialised results."""
