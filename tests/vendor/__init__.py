"""Tests against servers written from the vendor's description alone."""
