"""Thaw's Keras module: transfer learning from folders of photos, head first, then the top layers."""

from tlcore.environment import settle

__version__ = "0.1.0"

settle()
