"""Carrying out a plan: last looks, deletes, journal, report."""
