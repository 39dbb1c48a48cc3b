"""Where images come from: one small protocol, the archives behind it, and the store that verifies them."""
