"""From a pile of photos to classes: groups of what looks alike, and suggestions that follow what has been named."""
