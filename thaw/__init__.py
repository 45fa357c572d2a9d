"""Thaw, the application around `tlcore`: workspace, jobs, data sets, runs, projects, serving and the command line."""

from tlcore.environment import settle

settle()
