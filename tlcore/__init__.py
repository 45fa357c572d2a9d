"""Thaw's Keras module: transfer learning from folders of photos, head first, then the top layers."""

__version__ = "0.1.0"
