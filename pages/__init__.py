"""The dashboard: one thin page a step; what pages share lies in `pages.ui`."""
