"""A grammar network bound to a vocabulary: masks and steps over integers in flat arrays."""
