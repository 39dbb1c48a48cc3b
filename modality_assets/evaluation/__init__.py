"""How right the models are, for whom, and how sure we may be: tables and JSON from probabilities."""
